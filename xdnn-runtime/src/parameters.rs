//! What `network!` says of each struct of weights.

/// Implements [`Parameters`](crate::Parameters), field by field: `parameters! { Net { stem, body[2], lists[2][3] } }`.
/// Numbers behind a field are the lengths of lists. Parameters are written `<const N: usize> Net <N> { … }`.
///
/// Bindings start with an underscore because they cannot have the name of a constant around the call.
#[doc(hidden)]
#[macro_export]
macro_rules! parameters {
    ($(<$(const $bound:ident: $of:ty),*>)? $name:ident $(<$($given:ident),*>)? { $($field:ident $([$len:literal])*),* }) => {
        #[automatically_derived]
        impl $(<$(const $bound: $of),*>)? $crate::Parameters for $name $(<$($given),*>)? {
            fn read(_reader: &mut $crate::WeightReader) -> $crate::Result<Self> {
                ::core::result::Result::Ok(Self { $($field: $crate::parameters!(@ _reader $([$len])*)),* })
            }

            fn visit<'a>(&'a self, _visitor: &mut dyn ::core::ops::FnMut($crate::WeightView<'a>)) {
                $($crate::Parameters::visit(&self.$field, _visitor);)*
            }

            fn visit_mut<'a>(&'a mut self, _visitor: &mut dyn ::core::ops::FnMut($crate::WeightViewMut<'a>)) {
                $($crate::Parameters::visit_mut(&mut self.$field, _visitor);)*
            }
        }
    };
    (@ $reader:ident) => {
        $crate::Parameters::read($reader)?
    };
    (@ $reader:ident [$len:literal]) => {
        $reader.list($len)?
    };
    (@ $reader:ident [$len:literal] $($inner:tt)+) => {{
        let mut _list = ::std::vec::Vec::new();
        for _ in 0..$len {
            _list.push($crate::parameters!(@ $reader $($inner)+));
        }
        _list
    }};
}
