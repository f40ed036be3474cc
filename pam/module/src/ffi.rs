// SPDX-License-Identifier: GPL-3.0-or-later
//! The border to PAM and to crypt(3), and the only unsafe code.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::ptr::{NonNull, null, null_mut};
use std::sync::Once;

use zeroize::Zeroizing;

use crate::hooks;

// <security/_pam_types.h>; Linux-PAM has never changed them.
const PAM_SUCCESS: c_int = 0;
const PAM_IGNORE: c_int = 25;
const PAM_USER: c_int = 2;
const PAM_AUTHTOK: c_int = 6;

/// Flag of setcred: credentials are taken away.
pub(crate) const DELETE_CRED: c_int = 0x4;
/// Flag of chauthtok: this time it counts.
pub(crate) const UPDATE_AUTHTOK: c_int = 0x2000;

/// Longer ones are nobody's password. In bytes.
const LONGEST_TOKEN: usize = 1024;
const LONGEST_USER: usize = 1024;

/// The name of what is kept between authenticate and setcred.
const STASH: &CStr = c"pam_sipwitch_token";

#[repr(C)]
struct Handle {
    _private: [u8; 0],
}

type Cleanup = unsafe extern "C" fn(*mut Handle, *mut c_void, c_int);

unsafe extern "C" {
    fn pam_get_item(handle: *const Handle, item: c_int, value: *mut *const c_void) -> c_int;
    fn pam_set_data(
        handle: *mut Handle,
        name: *const c_char,
        data: *mut c_void,
        cleanup: Option<Cleanup>,
    ) -> c_int;
    fn pam_get_data(handle: *const Handle, name: *const c_char, data: *mut *const c_void) -> c_int;
    fn pam_syslog(handle: *const Handle, priority: c_int, format: *const c_char, ...);
}

/// A password as it was typed. It is wiped, and it does not print.
#[derive(Clone)]
pub(crate) struct Token(Zeroizing<Vec<u8>>);

/// Who typed what, from authenticate to setcred.
pub(crate) struct Stash {
    pub(crate) user: String,
    pub(crate) token: Token,
}

/// How much a line in the log matters.
#[derive(Clone, Copy)]
pub(crate) enum Level {
    Warning,
    Debug,
}

/// The transaction that a hook is called in.
pub(crate) struct Pam(NonNull<Handle>);

impl Token {
    /// Takes what C calls a string, unless it is empty or too long.
    pub(crate) fn new(text: &CStr) -> Option<Self> {
        let bytes = text.to_bytes_with_nul();
        (2..=LONGEST_TOKEN + 1).contains(&bytes.len()).then(|| Self(Zeroizing::new(bytes.to_vec())))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.strip_suffix(b"\0").unwrap_or(&self.0)
    }
}

impl Pam {
    /// The user, as the modules before us left it.
    pub(crate) fn user(&self) -> Option<String> {
        let user = self.item(PAM_USER)?;
        (user.count_bytes() <= LONGEST_USER).then(|| user.to_str().ok().map(str::to_owned))?
    }

    /// The password, if a module before us asked for one.
    pub(crate) fn token(&self) -> Option<Token> {
        Token::new(self.item(PAM_AUTHTOK)?)
    }

    fn item(&self, item: c_int) -> Option<&CStr> {
        let mut value = null();
        // SAFETY: the handle is that of the running hook, and `value` is a place to write to.
        let code = unsafe { pam_get_item(self.0.as_ptr(), item, &raw mut value) };
        if code != PAM_SUCCESS || value.is_null() {
            return None;
        }
        // SAFETY: both items that are asked for are strings of PAM's, which stay until it is told
        // another value; nothing here tells it one, and the borrow ends with `self`.
        Some(unsafe { CStr::from_ptr(value.cast()) })
    }

    /// Keeps it until setcred, or the end of the transaction.
    pub(crate) fn stash(&self, stash: Stash) {
        let data = Box::into_raw(Box::new(stash)).cast();
        // SAFETY: PAM copies the name, and hands `data` to `wipe` and nobody else, once.
        let code = unsafe { pam_set_data(self.0.as_ptr(), STASH.as_ptr(), data, Some(wipe)) };
        if code != PAM_SUCCESS {
            // SAFETY: PAM did not take it, so it is still the box from above.
            drop(unsafe { Box::from_raw(data.cast::<Stash>()) });
        }
    }

    /// What was kept. It is kept no longer.
    pub(crate) fn take_stash(&self) -> Option<Stash> {
        let mut data = null();
        // SAFETY: the handle is that of the running hook, and `data` is a place to write to.
        let code = unsafe { pam_get_data(self.0.as_ptr(), STASH.as_ptr(), &raw mut data) };
        let kept = NonNull::new(data.cast_mut().cast::<Stash>());
        if code != PAM_SUCCESS || kept.is_none() {
            return None;
        }
        let stash = kept.map(|kept| {
            // SAFETY: only `stash` stores under this name, and `wipe` has not been called yet.
            let kept = unsafe { kept.as_ref() };
            Stash { user: kept.user.clone(), token: kept.token.clone() }
        });
        // SAFETY: no reference to the old data is left; PAM hands it to `wipe`.
        unsafe { pam_set_data(self.0.as_ptr(), STASH.as_ptr(), null_mut(), None) };
        stash
    }

    /// One line in the log of those who may read about logins.
    pub(crate) fn log(&self, level: Level, words: &str) {
        let Ok(words) = CString::new(words) else { return };
        let priority = match level {
            Level::Warning => libc::LOG_WARNING,
            Level::Debug => libc::LOG_DEBUG,
        };
        // SAFETY: the format asks for one string, which is what it gets.
        unsafe { pam_syslog(self.0.as_ptr(), priority, c"%s".as_ptr(), words.as_ptr()) };
    }
}

/// # Safety
/// PAM calls it with what [`Pam::stash`] gave it, once.
unsafe extern "C" fn wipe(_: *mut Handle, data: *mut c_void, _: c_int) {
    if !data.is_null() {
        // SAFETY: as above. Dropping a string and a vector cannot panic.
        drop(unsafe { Box::from_raw(data.cast::<Stash>()) });
    }
}

/// crypt(3), by the library that pam_unix has loaded; none if it has not.
///
/// That library is not among those we are linked with: every program that lets somebody in would load
/// it, and one that has its own copy would have two.
pub(crate) fn crypt(token: &Token, setting: &CStr) -> Option<Zeroizing<Vec<u8>>> {
    type CryptR = unsafe extern "C" fn(*const c_char, *const c_char, *mut c_void) -> *mut c_char;
    /// `struct crypt_data` has 32 KiB in libxcrypt, and 131232 bytes in the old glibc.
    const ROOM: usize = 256 * 1024 / size_of::<u64>();

    let flags = libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_NOLOAD;
    let library = [c"libcrypt.so.1", c"libcrypt.so.2"].into_iter().find_map(|name| {
        // SAFETY: with RTLD_NOLOAD nothing is loaded, and no code of it runs.
        NonNull::new(unsafe { libc::dlopen(name.as_ptr(), flags) })
    })?;
    // SAFETY: the library is held until the end.
    let function = NonNull::new(unsafe { libc::dlsym(library.as_ptr(), c"crypt_r".as_ptr()) });
    let hash = function.and_then(|function| {
        // SAFETY: this is the signature of crypt_r in every libcrypt.
        let crypt_r: CryptR = unsafe { std::mem::transmute(function.as_ptr()) };
        let mut room = Zeroizing::new(vec![0_u64; ROOM]);
        // SAFETY: both strings end with a zero byte, and the room is large enough, aligned and zeroed.
        let hash =
            unsafe { crypt_r(token.0.as_ptr().cast(), setting.as_ptr(), room.as_mut_ptr().cast()) };
        // SAFETY: not null, so it is a string in the room, which is still there.
        let hash = (!hash.is_null()).then(|| unsafe { CStr::from_ptr(hash) })?;
        Some(Zeroizing::new(hash.to_bytes().to_vec()))
    });
    // SAFETY: opened above, and nothing of it is used any more. Others still hold it.
    unsafe { libc::dlclose(library.as_ptr()) };
    hash
}

/// Whether the program runs with the rights of root: nobody else can read or write the digests.
pub(crate) fn is_root() -> bool {
    // SAFETY: it has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

type Hook = fn(&Pam, c_int, &[String]);

/// Calls a hook and answers that we have no opinion, whatever happens in it.
///
/// # Safety
/// PAM's own arguments, of a call that is going on.
unsafe fn guarded(
    handle: *mut Handle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
    hook: Hook,
) -> c_int {
    static QUIET: Once = Once::new();
    let done = catch_unwind(AssertUnwindSafe(|| {
        // The standard library in this module is our own copy: the hook is nobody else's, and without
        // it a panic would write to the terminal of whoever logs in.
        QUIET.call_once(|| set_hook(Box::new(|_| {})));
        let Some(handle) = NonNull::new(handle) else { return };
        let count = if argv.is_null() { 0 } else { usize::try_from(argc).unwrap_or_default() };
        let arguments: Vec<String> = (0..count)
            .filter_map(|at| {
                // SAFETY: PAM gives `argc` pointers.
                let argument = unsafe { *argv.add(at) };
                // SAFETY: each of them is a string.
                let argument =
                    (!argument.is_null()).then(|| unsafe { CStr::from_ptr(argument) })?;
                Some(argument.to_string_lossy().into_owned())
            })
            .collect();
        hook(&Pam(handle), flags, &arguments);
    }));
    if let Err(payload) = done {
        forget(payload); // its destructor could panic as well
    }
    PAM_IGNORE
}

macro_rules! hooks {
    ($($(#[$doc:meta])* $name:ident => $hook:expr;)*) => { $(
        $(#[$doc])*
        ///
        /// # Safety
        /// Only PAM calls it.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            handle: *mut Handle,
            flags: c_int,
            argc: c_int,
            argv: *const *const c_char,
        ) -> c_int {
            // SAFETY: the arguments are PAM's.
            unsafe { guarded(handle, flags, argc, argv, $hook) }
        }
    )* };
}

hooks! {
    /// Somebody says who he is.
    pam_sm_authenticate => hooks::authenticate;
    /// He was believed.
    pam_sm_setcred => hooks::setcred;
    /// The password is changed.
    pam_sm_chauthtok => hooks::chauthtok;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_are_empty_or_too_long_are_none() {
        let token = |length: usize| Token::new(&CString::new(vec![b'x'; length]).unwrap());
        assert!(token(0).is_none() && token(LONGEST_TOKEN + 1).is_none() && token(65536).is_none());
        for length in [1, LONGEST_TOKEN] {
            assert_eq!(token(length).unwrap().bytes().len(), length);
        }
    }

    #[test]
    fn a_library_that_nobody_loaded_is_not_loaded_to_prove_a_token() {
        let token = Token::new(c"secret").unwrap();
        assert!(crypt(&token, c"$6$salt$").is_none());
    }
}
