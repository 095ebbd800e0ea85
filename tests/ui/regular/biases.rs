use xdnn::prelude::*;

network! {
    #[regular]
    struct AlexNet(image: [3, 16, 16]) -> [10] {
        conv1: Conv2d(8, kernel = 3) -> Relu -> MaxPool2d(2);
        Flatten -> head: Linear(10);
    }
}

fn main() {
    let model = AlexNet::init(Seed(1)).compile(Device::Cpu).unwrap();
    let image = xdnn::ndarray::Array4::<f32>::zeros((1, 3, 16, 16));
    drop(model.attribute(&image, Target::Predicted));
}
