//! The load generator: one thread, with an event queue of its own, or with blocking sockets where few connections are busy.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mio::net::TcpStream as Polled;
use mio::{Events, Interest, Poll, Token};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

/// The size of a message.
const SIZE: usize = 64;
/// How long a load runs before it is counted.
const WARM: Duration = Duration::from_millis(300);
/// A server that does not answer for so long has failed.
const LIMIT: Duration = Duration::from_secs(20);
/// How many connections [`connects`] makes at the same time.
const AT_ONCE: usize = 32;

/// Lets this OS process and its children have as many descriptors as the system allows. Returns the number.
pub(crate) fn raise_limit() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |current| current as usize)
}

fn blocking(at: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(at)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Sends a message and takes the answer.
fn turn(mut stream: &TcpStream) -> io::Result<()> {
    stream.write_all(&[7; SIZE])?;
    let mut answer = [0; SIZE];
    stream.read_exact(&mut answer)?;
    if answer != [7; SIZE] {
        return Err(io::Error::other("the answer is not what was sent"));
    }
    Ok(())
}

/// Returns the microseconds of a message and its answer.
pub(crate) fn ping_pong(at: SocketAddr, counted: Duration) -> io::Result<f64> {
    let stream = blocking(at)?;
    let warm = Instant::now();
    while warm.elapsed() < WARM {
        turn(&stream)?;
    }
    let (start, mut turns) = (Instant::now(), 0_u32);
    while start.elapsed() < counted {
        turn(&stream)?;
        turns += 1;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(turns))
}

/// Makes connections on which nothing happens. Each has had an answer, so it is served.
pub(crate) fn idle(at: SocketAddr, connections: usize) -> io::Result<Vec<TcpStream>> {
    let streams: Vec<TcpStream> =
        (0..connections).map(|_| blocking(at)).collect::<io::Result<_>>()?;
    streams.iter().try_for_each(turn)?;
    Ok(streams)
}

/// A connection with some requests on their way.
struct Client {
    stream: Polled,
    /// Bytes of requests that are to be sent, and of answers that are to come.
    to_send: usize,
    to_come: usize,
}

/// The load of many connections that send a request as soon as they have an answer.
pub(crate) struct Echo {
    poll: Poll,
    clients: Vec<Client>,
    request: Vec<u8>,
    answer: usize,
    answers: u64,
}

impl Echo {
    /// Connects. Each connection has `depth` messages on their way.
    pub(crate) fn new(at: SocketAddr, connections: usize, depth: usize) -> io::Result<Self> {
        Self::with(at, connections, depth, vec![7; SIZE], SIZE)
    }

    /// Connects, and asks for the same page over and over.
    pub(crate) fn http(at: SocketAddr, connections: usize) -> io::Result<Self> {
        let request = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut probe = blocking(at)?;
        probe.write_all(request)?;
        let mut page = Vec::new();
        while !page.ends_with(crate::servers::BODY.as_bytes()) {
            let mut block = [0; 1024];
            match probe.read(&mut block)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                size => page.extend_from_slice(&block[..size]),
            }
        }
        Self::with(at, connections, 1, request.to_vec(), page.len())
    }

    fn with(
        at: SocketAddr,
        connections: usize,
        depth: usize,
        request: Vec<u8>,
        answer: usize,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut clients = Vec::new();
        for number in 0..connections {
            let stream = blocking(at)?;
            stream.set_nonblocking(true)?;
            let mut stream = Polled::from_std(stream);
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(number), both)?;
            clients.push(Client {
                stream,
                to_send: depth * request.len(),
                to_come: depth * answer,
            });
        }
        Ok(Self { poll, clients, request, answer, answers: 0 })
    }

    /// Returns how many answers come in a second.
    pub(crate) fn rate(mut self, counted: Duration) -> io::Result<f64> {
        self.run(WARM)?;
        let (before, start) = (self.answers, Instant::now());
        self.run(counted)?;
        Ok((self.answers - before) as f64 / start.elapsed().as_secs_f64())
    }

    fn run(&mut self, time: Duration) -> io::Result<()> {
        let start = Instant::now();
        let mut events = Events::with_capacity(1024);
        while start.elapsed() < time {
            self.poll.poll(&mut events, Some(LIMIT))?;
            if events.is_empty() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            for event in &events {
                let Token(number) = event.token();
                self.answers += self.clients[number].goes_on(&self.request, self.answer)?;
            }
        }
        Ok(())
    }
}

impl Client {
    /// Sends and receives until neither is possible. Returns how many answers were completed.
    fn goes_on(&mut self, request: &[u8], answer: usize) -> io::Result<u64> {
        let mut answers = 0;
        loop {
            let sent = self.send(request)?;
            let (received, completed) = self.receive(request, answer)?;
            answers += completed;
            if !sent && !received {
                return Ok(answers);
            }
        }
    }

    fn send(&mut self, request: &[u8]) -> io::Result<bool> {
        let mut any = false;
        while self.to_send > 0 {
            // The bytes of a request that is partly sent, or as many whole ones as are due.
            let part = self.to_send % request.len();
            let bytes = match part {
                0 => &request.repeat(self.to_send / request.len()),
                part => &request[request.len() - part..],
            };
            match self.stream.write(bytes) {
                Ok(size) => self.to_send -= size,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            any = true;
        }
        Ok(any)
    }

    fn receive(&mut self, request: &[u8], answer: usize) -> io::Result<(bool, u64)> {
        let mut block = [0; 4096];
        let (mut any, mut completed) = (false, 0);
        loop {
            match self.stream.read(&mut block) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(size) => {
                    any = true;
                    let before = self.to_come.div_ceil(answer);
                    self.to_come -= size;
                    let done = before - self.to_come.div_ceil(answer);
                    completed += done as u64;
                    self.to_come += done * answer;
                    self.to_send += done * request.len();
                    if size < block.len() {
                        return Ok((any, completed));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok((any, completed));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Begins a connection from an address that few others had. Each connection that has ended keeps its port for a minute. From one address
/// the system soon needs more time to find a port that is free than for all the rest.
fn connect_from(number: u32, at: SocketAddr) -> io::Result<Polled> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // Other systems have one address for this machine.
    if cfg!(target_os = "linux") {
        let [.., high, low] = number.to_be_bytes();
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 1, high, low), 0)).into())?;
    }
    match socket.connect(&at.into()) {
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
        _ => Ok(Polled::from_std(socket.into())),
    }
}

/// Returns how many connections a second are made, have one answer, and end.
pub(crate) fn connects(at: SocketAddr, counted: Duration) -> io::Result<f64> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(AT_ONCE);
    let both = Interest::READABLE | Interest::WRITABLE;
    let mut made = 0;
    let mut new = |poll: &Poll, number| -> io::Result<Client> {
        made += 1;
        let mut stream = connect_from(made, at)?;
        poll.registry().register(&mut stream, Token(number), both)?;
        Ok(Client { stream, to_send: SIZE, to_come: SIZE })
    };
    let mut clients =
        (0..AT_ONCE).map(|number| new(&poll, number)).collect::<io::Result<Vec<_>>>()?;
    let mut run = |time: Duration| -> io::Result<f64> {
        let (start, mut ended) = (Instant::now(), 0_u64);
        while start.elapsed() < time {
            poll.poll(&mut events, Some(LIMIT))?;
            if events.is_empty() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            for event in &events {
                let Token(number) = event.token();
                if let Some(error) = clients[number].stream.take_error()? {
                    return Err(error);
                }
                if !clients[number].has_answer()? {
                    continue;
                }
                clients[number] = new(&poll, number)?;
                ended += 1;
            }
        }
        Ok(ended as f64 / start.elapsed().as_secs_f64())
    };
    run(WARM)?;
    run(counted)
}

impl Client {
    /// Sends its one message, if it is connected, and returns whether the answer is there.
    fn has_answer(&mut self) -> io::Result<bool> {
        if self.to_send > 0 {
            match self.stream.write(&[7; SIZE][..self.to_send]) {
                Ok(size) => self.to_send -= size,
                Err(error) if is_not_yet(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        let mut block = [0; SIZE];
        while self.to_come > 0 {
            match self.stream.read(&mut block) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(size) => self.to_come -= size,
                Err(error) if is_not_yet(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn is_not_yet(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected)
}

/// Returns the milliseconds within which 99 of 100 answers come on one connection, while each of the others sends a byte a second.
pub(crate) fn beside_slow(at: SocketAddr, others: usize, counted: Duration) -> io::Result<f64> {
    let slow = idle(at, others)?;
    let fast = blocking(at)?;
    let pause = Duration::from_millis(1);
    // The slow ones take turns, some in each millisecond.
    let share = others.div_ceil(1_000);
    let mut turns = slow.chunks(share.max(1)).cycle();
    let mut taken = Vec::new();
    let start = Instant::now();
    let mut next = start;
    while start.elapsed() < counted {
        for mut slow in turns.next().into_iter().flatten() {
            slow.write_all(&[7])?;
        }
        let sent = Instant::now();
        turn(&fast)?;
        taken.push(sent.elapsed());
        next += pause;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    taken.sort();
    Ok(taken[taken.len() * 99 / 100].as_secs_f64() * 1e3)
}
