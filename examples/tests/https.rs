//! The example `https`, with the command line client and server of OpenSSL as its peers.
#![cfg(unix)]

#[allow(dead_code, reason = "its `main` is not called")]
#[path = "../https.rs"]
mod https;
mod watchdog;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use csp::{Channel, Signal, Writer};

/// A folder that is removed at the end, with a certificate and its key.
struct Secrets(PathBuf);

impl Secrets {
    /// Makes them, or says aloud that this machine has no OpenSSL.
    fn new(name: &str) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("csp-https-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let this = Self(folder);
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        openssl.args(["-nodes", "-days", "9", "-subj", "/CN=localhost"]);
        openssl.args(["-addext", "subjectAltName=DNS:localhost"]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.arg("-keyout").arg(this.key()).arg("-out").arg(this.certificate());
        match openssl.stderr(Stdio::piped()).output() {
            Err(error) => {
                println!(
                    "SKIPPED: TLS with another implementation, because `openssl` does not start: {error}"
                );
                None
            }
            Ok(made) => {
                assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
                Some(this)
            }
        }
    }

    fn certificate(&self) -> PathBuf {
        self.0.join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.join("key.pem")
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

type Serving = thread::JoinHandle<csp::Result<usize>>;

/// Starts the server of the example.
fn server(secrets: &Secrets) -> (SocketAddr, Writer<Signal>, Serving) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    let signals = Channel::new();
    let (signal, stopped) = (signals.writer(), signals.reader());
    let secrets = https::server_secrets(&secrets.certificate(), &secrets.key()).expect("secrets");
    let serving = thread::spawn(move || https::serve(socket.into(), secrets, stopped));
    (address, signal, serving)
}

/// Starts the client of OpenSSL, which checks the certificate and gives up if it is wrong.
fn client(server: SocketAddr, certificate: &Path) -> Child {
    let mut client = Command::new("openssl");
    client.args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost"]);
    client.args(["-servername", "localhost", "-connect", &server.to_string()]);
    client.arg("-CAfile").arg(certificate);
    let pipes = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    pipes.spawn().expect("it was there before")
}

#[test]
fn clients_of_openssl_are_served_at_once() {
    const CLIENTS: usize = 8;
    let _over = watchdog::watchdog();
    let Some(secrets) = Secrets::new("served") else { return };
    let (address, signal, serving) = server(&secrets);
    // One says nothing, not even the first word of a handshake. It holds up nobody.
    let silent = TcpStream::connect(address).expect("a server");
    let mut clients: Vec<Child> =
        (0..CLIENTS).map(|_| client(address, &secrets.certificate())).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let mut input = client.stdin.as_ref().expect("piped");
        write!(input, "GET /{number} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is heard");
    }
    for (number, client) in clients.into_iter().enumerate() {
        let output = client.wait_with_output().expect("a client");
        let (text, errors) = [output.stdout, output.stderr]
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .into();
        assert!(output.status.success(), "{errors}");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text} {errors}");
        assert!(text.ends_with(&format!("\r\n\r\nyou said: GET /{number} HTTP/1.1\n")), "{text}");
    }
    // One speaks no TLS, and concerns nobody else.
    let mut plain = TcpStream::connect(address).expect("a server");
    plain.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("it is heard");
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut plain, &mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    drop(silent);
    signal.write(Signal::INT).expect("it is heard");
    assert_eq!(serving.join().expect("it has ended"), Ok(CLIENTS + 2));
}

/// A server of OpenSSL. It is killed at the end.
struct OpenSsl(Child);

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_of_openssl_is_asked_and_checked() {
    let _over = watchdog::watchdog();
    let Some(secrets) = Secrets::new("asked") else { return };
    let mut server = Command::new("openssl");
    server.args(["s_server", "-www", "-accept", "127.0.0.1:0"]);
    server.arg("-cert").arg(secrets.certificate()).arg("-key").arg(secrets.key());
    let pipes = server.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = OpenSsl(pipes.spawn().expect("it was there before"));
    let output = BufReader::new(server.0.stdout.take().expect("piped"));
    let lines = &mut output.lines();
    let accepts = lines.map_while(Result::ok).find_map(|line| {
        line.strip_prefix("ACCEPT 127.0.0.1:").map(|port| port.parse::<u16>().expect("a port"))
    });
    let address = format!("localhost:{}", accepts.expect("it says its port"));
    let trusts = https::client_secrets(&secrets.certificate()).expect("a certificate");
    let page = https::fetch(&address, trusts).expect("a page");
    assert!(page.starts_with("HTTP/1.0 200 ok\r\n"), "{page}");
    assert!(page.contains("TLSv1.3"), "{page}");

    // It is not trusted by somebody who trusts another of the same name.
    let other = Secrets::new("other").expect("it was there before");
    let trusts = https::client_secrets(&other.certificate()).expect("a certificate");
    let error = https::fetch(&address, trusts).expect_err("another certificate");
    assert!(error.to_string().contains("certificate"), "{error}");
}
