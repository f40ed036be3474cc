// SPDX-License-Identifier: GPL-3.0-or-later
//! The border of the module with hooks that panic: a stack has to stand it.
#![deny(clippy::undocumented_unsafe_blocks, unsafe_op_in_unsafe_fn)]

#[path = "../src/ffi.rs"]
#[expect(
    unsafe_code,
    dead_code,
    reason = "PAM is an interface of C, and a panic needs little of it"
)]
mod ffi;

mod hooks {
    use std::ffi::c_int;

    use crate::ffi::Pam;

    fn panic() {
        let nothing: Vec<u8> = Vec::new();
        assert!(!nothing.is_empty(), "as the test wants");
    }

    pub(crate) fn authenticate(_: &Pam, _: c_int, _: &[String]) {
        panic();
    }

    pub(crate) fn setcred(_: &Pam, _: c_int, _: &[String]) {
        panic();
    }

    pub(crate) fn chauthtok(_: &Pam, _: c_int, _: &[String]) {
        panic();
    }
}
