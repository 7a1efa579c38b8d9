use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use csp::{Channel, Reader, Writer, alt, io::Call, parallel, process, spawn};

#[process]
fn server(socket: TcpListener, stop: Reader<()>) -> csp::Result<u32> {
    // Made before the loop, because a call that is not chosen goes on until a later round chooses it.
    let accept = Call::new(move || socket.accept());
    let mut served = 0;
    loop {
        alt! {
            accepted = io(accept) => if let Ok((stream, _)) = accepted {
                served += 1;
                drop(spawn(echo(stream)));
            },
            stop.read() => return Ok(served),
        }?;
    }
}

#[process]
fn echo(stream: TcpStream) {
    // The closure borrows. The other processes of this thread go on meanwhile.
    let mut line = String::new();
    let _ = csp::io(|| BufReader::new(&stream).read_line(&mut line));
    let _ = reply(&stream, &line);
}

/// Does the same with a whole function.
#[csp::io]
fn reply(mut stream: &TcpStream, line: &str) -> std::io::Result<()> {
    stream.write_all(line.to_uppercase().as_bytes())
}

#[csp::io]
fn ask(server: SocketAddr, question: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    writeln!(stream, "{question}")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer)
}

#[process]
fn clients(server: SocketAddr, stop: Writer<()>) -> csp::Result<String> {
    let answers = ["hello", "world"].map(|question| ask(server, question).unwrap_or_default());
    stop.write(())?;
    Ok(answers.concat())
}

#[csp::main]
fn main() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    let stop = Channel::new();
    let (served, answers) =
        parallel!(server(socket, stop.reader()), clients(address, stop.writer()));
    print!("{}", answers.expect("the server is there"));
    println!("{served:?}");
}
