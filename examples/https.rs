//! HTTPS by a library that knows nothing of processes: TLS of rustls over sockets whose waiting processes park.
//!
//! ```text
//!            ┌─ answer ◀══ TLS ══▶ socket
//! listener ══╪═ answer ◀══ TLS ══▶ socket
//!     ▲      └─ answer ◀══ TLS ══▶ socket
//!     └──── interrupt ◀── signals (Ctrl-C)
//! ```
//!
//! rustls encrypts whatever implements `Read` and `Write`, and blocks where these block. A process that blocks in a socket of
//! `csp::net` is parked, so all clients share one thread. Half of them may be in the middle of a handshake.
//!
//! Make a certificate, serve, and ask from another terminal:
//!
//! ```text
//! openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 9 -subj /CN=localhost \
//!     -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE
//! cargo run --example https -- serve --certificate cert.pem --key key.pem
//! cargo run --example https -- ask --certificate cert.pem localhost:8443
//! ```

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use csp::net::{TcpListener, TcpStream};
use csp::{Reader, Signal, alt, process, spawn};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use rustls::{ConnectionCommon, SideData, StreamOwned};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Answers requests by HTTPS, or makes one.
#[derive(Parser)]
enum Arguments {
    /// Serves until a signal comes
    Serve {
        /// Certificate to show, as PEM
        #[arg(long)]
        certificate: PathBuf,
        /// Its private key, as PEM
        #[arg(long)]
        key: PathBuf,
        /// Port of the loopback interface to listen on (0 for any free port)
        #[arg(long, default_value_t = 8443)]
        port: u16,
    },
    /// Prints the page at `/`
    Ask {
        /// Certificate to trust, as PEM
        #[arg(long)]
        certificate: PathBuf,
        /// Name and port of the server
        server: String,
    },
}

/// The time that a client may take until its next bytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns how many clients it has had.
#[process]
fn listener(
    socket: TcpListener,
    secrets: Arc<ServerConfig>,
    signals: Reader<Signal>,
) -> csp::Result<usize> {
    let mut clients = 0;
    loop {
        alt! {
            accepted = socket.accept() => match accepted {
                Ok((socket, _)) => {
                    clients += 1;
                    drop(spawn(answer(socket, Arc::clone(&secrets))));
                }
                // Too many files are open. Some will be closed.
                Err(_) => csp::sleep(Duration::from_millis(10)),
            },
            signals.read() => return Ok(clients),
        }?;
    }
}

/// Serves one client. The handshake is a part of the first read.
#[process]
fn answer(socket: TcpStream, secrets: Arc<ServerConfig>) -> Outcome<()> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut client = StreamOwned::new(ServerConnection::new(secrets)?, socket);
    let mut asked = String::new();
    for line in BufReader::new(&mut client).lines() {
        match line?.as_str() {
            "" => break,
            line if asked.is_empty() => line.clone_into(&mut asked),
            _ => {}
        }
    }
    let body = format!("you said: {asked}\n");
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n";
    write!(client, "{head}Content-Length: {length}\r\n\r\n{body}")?;
    say_goodbye(&mut client)
}

/// Asks for the page at `/`. Returns all that the server says.
#[process]
fn ask(server: String, secrets: Arc<ClientConfig>) -> Outcome<String> {
    let socket = TcpStream::connect(&*server)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let name = server.rsplit_once(':').map_or(&*server, |(name, _)| name).to_owned();
    let connection = ClientConnection::new(secrets, ServerName::try_from(name)?)?;
    let mut server = StreamOwned::new(connection, socket);
    write!(server, "GET / HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    server.read_to_string(&mut page)?;
    say_goodbye(&mut server)?;
    Ok(page)
}

/// Tells the peer that nothing more comes, so that nobody can cut the text short unnoticed.
fn say_goodbye<C, S>(stream: &mut StreamOwned<C, TcpStream>) -> Outcome<()>
where
    C: std::ops::DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    stream.conn.send_close_notify();
    Ok(stream.flush()?)
}

/// Reads what a server needs.
pub(crate) fn server_secrets(certificate: &Path, key: &Path) -> Outcome<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

/// Reads what a client needs, which trusts this certificate and no other.
pub(crate) fn client_secrets(certificate: &Path) -> Outcome<Arc<ClientConfig>> {
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(certificate)? {
        trusted.add(certificate?)?;
    }
    let config = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();
    Ok(Arc::new(config))
}

/// Serves until a signal comes. Returns how many clients there were, when all of them have been served.
pub(crate) fn serve(
    socket: TcpListener,
    secrets: Arc<ServerConfig>,
    signals: Reader<Signal>,
) -> csp::Result<usize> {
    spawn(listener(socket, secrets, signals)).join()
}

/// Returns the page at `/`.
pub(crate) fn fetch(server: &str, secrets: Arc<ClientConfig>) -> Outcome<String> {
    spawn(ask(server.to_owned(), secrets)).join()
}

#[csp::main]
fn main() -> Outcome<()> {
    match Arguments::parse() {
        Arguments::Serve { certificate, key, port } => {
            let secrets = server_secrets(&certificate, &key)?;
            let socket = TcpListener::bind(("127.0.0.1", port))?;
            println!("listening on {}", socket.local_addr()?);
            let clients = serve(socket, secrets, csp::signals([Signal::INT, Signal::TERM])?)?;
            println!("{clients} clients were here");
        }
        Arguments::Ask { certificate, server } => {
            io::stdout().write_all(fetch(&server, client_secrets(&certificate)?)?.as_bytes())?;
        }
    }
    Ok(())
}
