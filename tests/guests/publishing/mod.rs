//! Publishing a component that takes long to compile, that cannot be compiled, or
//! that would cost the host too much.

mod bounds;
mod compilations;
mod compiler;
