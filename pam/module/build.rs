// SPDX-License-Identifier: GPL-3.0-or-later
//! Links the module with libpam and with no library besides libc.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    // By its full name: the headers and the link without a number are of no use to us.
    println!("cargo::rustc-link-arg=-l:libpam.so.0");
    // The standard library asks for libgcc_s, which unwinds the stack, and not every login program has
    // it loaded. Where the linker finds this instead, it takes the same code from the archive.
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    std::fs::write(folder.join("libgcc_s.so"), "GROUP ( -lgcc_eh -lgcc )\n")?;
    println!("cargo::rustc-link-search=native={}", folder.display());
    Ok(())
}
