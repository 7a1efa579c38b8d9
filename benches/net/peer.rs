//! A server, in an OS process of its own.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use csp_benches::go;

use crate::SERVE;
use crate::servers::Library;

pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts it, and waits until it listens. `go` is Go's program, if there is one.
    pub(crate) fn start(
        library: Library,
        go: Option<&go::Built>,
        protocol: &str,
    ) -> io::Result<Self> {
        let mut command = match (library, go) {
            (Library::Go, Some(go)) => {
                let mut command = Command::new(go.program());
                command.args(["net", protocol]);
                command
            }
            _ => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args([SERVE, library.name(), protocol]);
                command
            }
        };
        if library == Library::Csp {
            command.env("CSP_CORES", "1");
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut said = String::new();
        let output = process.stdout.take().expect("it is piped");
        let heard = BufReader::new(output).read_line(&mut said);
        // Dropped on an error, it ends the process.
        let mut server = Self { process, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        heard?;
        server
            .address
            .set_port(said.trim().parse().map_err(|_| io::Error::other("it does not listen"))?);
        Ok(server)
    }

    /// Returns the kilobytes (1,000 bytes) of memory that it holds.
    pub(crate) fn memory(&self) -> io::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        kibibytes.map(|kibibytes| kibibytes * 1.024).ok_or_else(|| io::Error::other("no VmRSS"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
