//! The Mandelbrot set: a farm whose results come in any order.
//!
//! ```text
//!                        ┌─▶ worker[0] ─┐
//! rows ── rows to do ────┼─▶ worker[1] ─┼─── rows done ──▶ canvas
//!                        └─▶    …      ─┘
//! ```
//!
//! Rows through the middle of the set take far longer than rows at the edge. So the rows are handed out one at a time
//! to the next free worker. Each row comes back with its number, and the canvas puts it in its place. A row travels
//! as a `Vec`: it is moved from worker to canvas, never copied.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::Parser;
use csp::{Channel, Reader, Writer, parallel, process};

/// Draws the Mandelbrot set into a PNG file.
#[derive(Parser)]
struct Arguments {
    /// Width of the picture, in pixels (the height is two thirds of it)
    #[arg(long, default_value_t = 1_200, value_parser = clap::value_parser!(u32).range(3..=30_000))]
    width: u32,
    /// Workers that compute rows
    #[arg(long, default_value_t = 8)]
    workers: usize,
    /// File to write the picture to
    #[arg(long, default_value = "target/mandelbrot.png")]
    output: PathBuf,
}

/// A picture's size, in pixels.
#[derive(Clone, Copy)]
struct Size {
    width: u32,
    height: u32,
}

/// One line of pixels, three bytes each.
struct Row {
    number: u32,
    pixels: Vec<u8>,
}

#[process]
fn rows(to_do: Writer<u32>, height: u32) -> csp::Result {
    for number in 0..height {
        to_do.write(number)?;
    }
    Ok(())
}

#[process]
fn worker(to_do: Reader<u32>, done: Writer<Row>, size: Size) -> csp::Result {
    loop {
        let number = to_do.read()?;
        let pixels =
            (0..size.width).flat_map(|column| colour(escape(column, number, size))).collect();
        done.write(Row { number, pixels })?;
    }
}

#[process]
fn canvas(done: Reader<Row>, size: Size) -> Vec<u8> {
    let length = 3 * size.width as usize;
    let mut picture = vec![0; length * size.height as usize];
    for Row { number, pixels } in &done {
        let start = length * number as usize;
        picture[start..start + length].copy_from_slice(&pixels);
    }
    picture
}

const LIMIT: u32 = 500;

/// Returns the steps until z ← z² + c leaves the circle of radius 2, or `None` if it stays in for `LIMIT` steps.
fn escape(column: u32, row: u32, size: Size) -> Option<u32> {
    let pixel = 3.5 / f64::from(size.width);
    let (cx, cy) =
        (f64::from(column) * pixel - 2.5, (f64::from(row) - f64::from(size.height) / 2.0) * pixel);
    let (mut x, mut y) = (0.0, 0.0);
    (0..LIMIT).find(|_| {
        (x, y) = (x * x - y * y + cx, 2.0 * x * y + cy);
        x * x + y * y > 4.0
    })
}

fn colour(steps: Option<u32>) -> [u8; 3] {
    let Some(steps) = steps else { return [0; 3] };
    let t = (f64::from(steps) / f64::from(LIMIT)).sqrt();
    // A polynomial from dark blue over white to brown.
    let blend = |scale: f64, low: i32, high: i32| {
        (255.0 * (scale * t.powi(low) * (1.0 - t).powi(high)).min(1.0)) as u8
    };
    [blend(9.0, 3, 1), blend(15.0, 2, 2), blend(8.5, 1, 3)]
}

/// Adds the name of a file or folder to the error about it.
fn about(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[csp::main]
fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let Arguments { width, workers, output } = Arguments::parse();
    let size = Size { width, height: width * 2 / 3 };

    let (to_do, done) = (Channel::new(), Channel::new());
    let (_, _, picture) = parallel!(
        rows(to_do.writer(), size.height),
        workers * worker(to_do.reader(), done.writer(), size),
        canvas(done.reader(), size),
    );

    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder).map_err(about(folder))?;
    }
    let file = BufWriter::new(File::create(&output).map_err(about(&output))?);
    let mut encoder = png::Encoder::new(file, size.width, size.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&picture)?;
    println!("{} x {} pixels in {}", size.width, size.height, output.display());
    Ok(())
}
