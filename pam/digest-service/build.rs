// SPDX-License-Identifier: GPL-3.0-or-later
//! Links the program with libpam as it is on every machine that has PAM, without the headers and links
//! of a development package.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    // The bindings ask for `-lpam` and `-lpam_misc`. Nothing of the second one is used.
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    for library in ["libpam.so", "libpam_misc.so"] {
        std::fs::write(folder.join(library), "INPUT ( -l:libpam.so.0 )\n")?;
    }
    println!("cargo::rustc-link-search=native={}", folder.display());
    Ok(())
}
