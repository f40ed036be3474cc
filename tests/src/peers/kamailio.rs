// SPDX-License-Identifier: GPL-3.0-or-later
//! Kamailio as a registrar and proxy: the second opinion on the drivers of the other peers.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::Result;
use tempfile::TempDir;

use crate::program::{foreign, in_home, new_home};
use crate::{Program, net};

/// A kamailio with the rules of data/kamailio.cfg.
#[derive(Debug)]
pub struct Kamailio {
    /// Where it listens, for UDP and TCP.
    pub at: SocketAddr,
    /// Where it listens for TLS, if it does.
    pub tls: Option<SocketAddr>,
    /// The certificate that it shows, which is its own authority; PEM.
    pub certificate: PathBuf,
    _program: Program,
    _home: TempDir,
}

impl Kamailio {
    /// Starts it and waits until it is listening.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start(at: IpAddr) -> Result<Self> {
        Self::start_as(at, None)
    }

    /// The same, with TLS too: its certificate is for that name.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start_with_tls(at: IpAddr, name: &str) -> Result<Self> {
        Self::start_as(at, Some(name))
    }

    fn start_as(at: IpAddr, name: Option<&str>) -> Result<Self> {
        let at = net::server_place(at)?;
        let home = new_home()?;
        let mut rules = include_str!("../../data/kamailio.cfg").replace("ADDRESS", &at.to_string());
        let mut tls = None;
        let certificate = home.path().join("own.pem");
        if let Some(name) = name {
            // The ports above are free as well.
            let place = SocketAddr::new(at.ip(), at.port() + 1);
            let own = rcgen::generate_simple_self_signed([name.to_owned()])?;
            let key = home.path().join("own.key");
            std::fs::write(&certificate, own.cert.pem())?;
            std::fs::write(&key, own.signing_key.serialize_pem())?;
            let listening = format!("listen=tcp:{at}\nlisten=tls:{place}\nenable_tls=yes");
            let module = format!(
                "loadmodule \"tls.so\"\nmodparam(\"tls\", \"tls_method\", \"TLSv1.2+\")\nmodparam(\"tls\", \"certificate\", \"{}\")\n\
                 modparam(\"tls\", \"private_key\", \"{}\")\nloadmodule \"tm.so\"",
                certificate.display(),
                key.display()
            );
            rules = rules
                .replace(&format!("listen=tcp:{at}"), &listening)
                .replace("loadmodule \"tm.so\"", &module);
            tls = Some(place);
        }
        std::fs::write(home.path().join("kamailio.cfg"), rules)?;
        let run = home.path().join("run");
        let mut command = in_home(foreign("kamailio", "kamailio")?, home.path());
        command.args(["-DD", "-E", "-m", "64", "-M", "4", "-f", "kamailio.cfg"]);
        command.arg("-Y").arg(&run).arg("-w").arg(&run);
        let mut program = Program::start("kamailio", &mut command)?;
        program.wait_for("the registrar is ready")?;
        Ok(Self { at, tls, certificate, _program: program, _home: home })
    }
}
