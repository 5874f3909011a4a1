//! The locales that the system has.

use std::path::Path;

/// The locale without a language, with UTF-8 as its character set.
pub(crate) const C_UTF8: &str = "C.UTF-8";

/// Returns whether programs of this system have the locale [`C_UTF8`].
pub(crate) fn has_c_utf8() -> bool {
    // musl accepts every name of a locale, and has UTF-8 in all of them.
    let is_musl = || {
        let libraries = std::fs::read_dir("/lib").into_iter().flatten().flatten();
        let mut names = libraries.map(|entry| entry.file_name());
        names.any(|name| name.as_encoded_bytes().starts_with(b"ld-musl-"))
    };
    let files = ["/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8"];
    knows_c_utf8() || files.iter().any(|file| Path::new(file).exists()) || is_musl()
}

/// Returns whether the C library of this program, the system's, has the locale; glibc has it built in since 2.35.
#[cfg(target_env = "gnu")]
fn knows_c_utf8() -> bool {
    // SAFETY: The name is a string with a NUL at its end, and no base is given, so nothing else is read or changed.
    let locale = unsafe {
        libc::newlocale(
            libc::LC_CTYPE_MASK,
            c"C.UTF-8".as_ptr(),
            std::ptr::null_mut(),
        )
    };
    if locale.is_null() {
        return false;
    }
    // SAFETY: It was just made, and is used nowhere else.
    unsafe { libc::freelocale(locale) };
    true
}

/// Returns false, since another C library need not be that of the system's programs.
#[cfg(not(target_env = "gnu"))]
fn knows_c_utf8() -> bool {
    false
}
