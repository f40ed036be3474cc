// SPDX-License-Identifier: GPL-3.0-or-later
//! From which address of ours the way to somebody begins. One machine has several: a cable and a
//! WLAN, a tunnel that leads to one company and one that takes everything.

use std::{collections::BTreeMap, net::IpAddr};

/// The address of ours at which the way to each far end begins, as the kernel routes now. Those to
/// whom no way leads are not in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paths(BTreeMap<IpAddr, IpAddr>);

impl Paths {
    /// Whether the way to that one begins elsewhere than here. Not where nobody asked the kernel.
    #[must_use]
    pub fn lead_from_elsewhere(&self, here: IpAddr, far: IpAddr) -> bool {
        self.source(far).is_some_and(|source| source != here.to_canonical())
    }

    /// Where the way to that one begins.
    #[must_use]
    pub fn source(&self, far: IpAddr) -> Option<IpAddr> {
        self.0.get(&far.to_canonical()).copied()
    }
}

impl FromIterator<(IpAddr, IpAddr)> for Paths {
    /// Of pairs of a far end and the address of ours.
    fn from_iter<T: IntoIterator<Item = (IpAddr, IpAddr)>>(pairs: T) -> Self {
        let pairs = pairs.into_iter();
        Self(pairs.map(|(far, source)| (far.to_canonical(), source.to_canonical())).collect())
    }
}
