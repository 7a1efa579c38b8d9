//! Conway's game of life in bands: processes that keep in step by a barrier.
//!
//! ```text
//! ┌──▶ band[0] ◀──▶ band[1] ◀──▶ … ◀──▶ band[n] ◀──┐
//! │       └────────────┴── pieces ─────────┘       │
//! └────────────────────────│───────────────────────┘
//!                          ▼
//!                       screen
//! ```
//!
//! The world is a torus, cut into bands of rows. Each band belongs to one process. In a generation a band sends its piece of
//! the picture to the screen and exchanges edges with its neighbours. Then it makes its rows anew and waits at the barrier. The
//! screen is enrolled too, and comes last. So the bands go at its pace, and all pieces it reads are of one
//! generation. The rows themselves are never shared. At the end each band returns its own.
//!
//! On a terminal the world moves. Elsewhere only its last picture is printed, and it is the same for any number of bands.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Parser;
use csp::{Barrier, Channel, Reader, Writer, parallel, process};

/// Plays Conway's game of life, from an R-pentomino.
#[derive(Parser)]
struct Arguments {
    /// Generations to play
    #[arg(long, default_value_t = 200)]
    generations: u32,
    /// Columns of the world
    #[arg(long, default_value_t = 72, value_parser = clap::value_parser!(u16).range(3..))]
    width: u16,
    /// Rows of the world
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(3..))]
    height: u16,
    /// Bands, and so processes, that the rows are cut into
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    bands: u16,
    /// Milliseconds from one picture to the next, on a terminal
    #[arg(long, default_value_t = 10)]
    pace: u64,
}

type Row = Vec<bool>;

/// The channels to and from a neighbouring band.
struct Neighbour {
    to: Writer<Row>,
    from: Reader<Row>,
}

struct Piece {
    band: usize,
    rows: Vec<Row>,
}

#[process]
fn band(
    mut piece: Piece,
    above: Neighbour,
    below: Neighbour,
    pieces: Writer<Piece>,
    step: Barrier,
    generations: u32,
) -> csp::Result<Vec<Row>> {
    for _ in 0..generations {
        pieces.write(Piece { band: piece.band, rows: piece.rows.clone() })?;
        above.to.write(piece.rows[0].clone())?;
        below.to.write(piece.rows[piece.rows.len() - 1].clone())?;
        piece.rows = next(&above.from.read()?, &piece.rows, &below.from.read()?);
        step.sync();
    }
    Ok(piece.rows)
}

/// Returns the rows of the next generation, computed from the rows and from the row on either side of them.
fn next(above: &Row, rows: &[Row], below: &Row) -> Vec<Row> {
    let all: Vec<_> = [above].into_iter().chain(rows).chain([below]).collect();
    let cell = |around: &[&Row], column: usize| {
        let width = around[1].len();
        let columns = [(column + width - 1) % width, column, (column + 1) % width];
        let alive = around.iter().flat_map(|row| columns.map(|column| row[column]));
        match alive.filter(|&alive| alive).count() {
            3 => true,
            4 => around[1][column], // the cell itself is counted
            _ => false,
        }
    };
    all.windows(3)
        .map(|around| (0..around[1].len()).map(|column| cell(around, column)).collect())
        .collect()
}

/// Shows each generation for as long as `pace`, if there is one.
#[process]
fn screen(
    pieces: Reader<Piece>,
    bands: usize,
    step: Barrier,
    generations: u32,
    pace: Option<Duration>,
) -> csp::Result {
    for _ in 0..generations {
        let mut picture = vec![Vec::new(); bands];
        for _ in 0..bands {
            let piece = pieces.read()?;
            picture[piece.band] = piece.rows;
        }
        if let Some(pace) = pace {
            const HOME: &str = "\x1b[H";
            print!("{HOME}{}", draw(&picture.concat()));
            io::stdout().flush().expect("a terminal");
            csp::sleep(pace);
        }
        step.sync();
    }
    Ok(())
}

/// Two rows to a line.
fn draw(rows: &[Row]) -> String {
    let mut picture = String::new();
    for pair in rows.chunks(2) {
        for column in 0..pair[0].len() {
            picture.push(match (pair[0][column], pair.get(1).is_some_and(|row| row[column])) {
                (false, false) => ' ',
                (true, false) => '▀',
                (false, true) => '▄',
                (true, true) => '█',
            });
        }
        picture.push('\n');
    }
    picture
}

fn r_pentomino(width: usize, height: usize) -> Vec<Row> {
    let mut rows = vec![vec![false; width]; height];
    for (row, column) in [(0, 1), (0, 2), (1, 0), (1, 1), (2, 1)] {
        rows[height / 2 - 1 + row][width / 2 - 1 + column] = true;
    }
    rows
}

#[csp::main]
fn main() -> csp::Result {
    let Arguments { generations, width, height, bands, pace } = Arguments::parse();
    let bands = usize::from(bands.min(height));
    let pace = io::stdout().is_terminal().then(|| Duration::from_millis(pace));
    let world = r_pentomino(width.into(), height.into());

    // Room for one row, so that a band can send both its edges before it reads its neighbours'.
    let (up, down) = (bands * Channel::buffered(1), bands * Channel::buffered(1));
    let (pieces, step) = (Channel::new(), Barrier::new());
    let processes: Vec<_> = (0..bands)
        .map(|i| {
            let (before, after) = ((i + bands - 1) % bands, (i + 1) % bands);
            let rows = world[i * world.len() / bands..(i + 1) * world.len() / bands].to_vec();
            band(
                Piece { band: i, rows },
                Neighbour { to: up[i].writer(), from: down[before].reader() },
                Neighbour { to: down[i].writer(), from: up[after].reader() },
                pieces.writer(),
                step.clone(),
                generations,
            )
        })
        .collect();

    if pace.is_some() {
        print!("\x1b[2J"); // clears the screen
    }
    let (rows, shown) =
        parallel!(processes, screen(pieces.reader(), bands, step, generations, pace));
    shown?;
    let world = rows.into_iter().collect::<csp::Result<Vec<_>>>()?.concat();
    if pace.is_some() {
        print!("\x1b[H");
    }
    print!("{}", draw(&world));
    let alive = world.iter().flatten().filter(|&&alive| alive).count();
    println!("{alive} cells are alive after {generations} generations");
    Ok(())
}
