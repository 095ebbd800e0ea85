//! What `network!` says of each struct of weights.

/// Implements [`Parameters`](crate::Parameters), field by field: `parameters! { Net { stem, body, lists } }`. Parameters of
/// the network are written `<const N: usize> Net <N> { … }`.
///
/// Bindings start with an underscore because they cannot have the name of a constant around the call.
#[doc(hidden)]
#[macro_export]
macro_rules! parameters {
    ($(<$(const $bound:ident: $of:ty),*>)? $name:ident $(<$($given:ident),*>)? { $($field:ident),* }) => {
        #[automatically_derived]
        impl $(<$(const $bound: $of),*>)? $crate::Parameters for $name $(<$($given),*>)? {
            fn read(_reader: &mut $crate::WeightReader) -> Self {
                Self { $($field: $crate::Parameters::read(_reader)),* }
            }

            fn visit<'a>(&'a self, _visitor: &mut dyn ::core::ops::FnMut($crate::WeightView<'a>)) {
                $($crate::Parameters::visit(&self.$field, _visitor);)*
            }

            fn visit_mut<'a>(&'a mut self, _visitor: &mut dyn ::core::ops::FnMut($crate::WeightViewMut<'a>)) {
                $($crate::Parameters::visit_mut(&mut self.$field, _visitor);)*
            }
        }
    };
}
