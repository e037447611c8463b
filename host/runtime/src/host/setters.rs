//! Setters of the resources that a guest fills in piece by piece.

/// Implements setters: each counts a call that brings `bytes`, and changes the entry of the
/// handle.
macro_rules! setters {
    ($entry:ty: $($name:ident($value:ident: $type:ty, $bytes:expr) $it:ident => $change:expr;)+) => {$(
        fn $name(
            &mut self,
            handle: wasmtime::component::Resource<$entry>,
            $value: $type,
        ) -> wasmtime::Result<()> {
            self.count_call($bytes)?;
            self.change(&handle, |$it| $change)
        }
    )+};
}

pub(super) use setters;
