//! Keeps the image of the addon mapped until the process ends.

/// Pins the shared object this code lives in.
///
/// Node unloads an addon when the last environment that loaded it ends. Where only worker threads load it, that would
/// drop the registry of named caches between two workers, and unmap code that a native thread may still be running.
#[cfg(unix)]
pub fn pin_image() {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let own_code = pin_image as fn() as *const libc::c_void;
    // SAFETY: `own_code` lies in this image and `info` is writable; `dli_fname` is read only after success, when it
    // points to a string that lives as long as the image. RTLD_NOLOAD finds the mapped image and runs no constructor;
    // the handle is leaked on purpose.
    unsafe {
        if libc::dladdr(own_code, info.as_mut_ptr()) != 0 {
            let path = info.assume_init().dli_fname;
            libc::dlopen(path, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
}

/// Other systems keep addons of ended environments mapped.
#[cfg(not(unix))]
pub fn pin_image() {}
