//! A picture on all cores: loops of rayon inside a farm of coroutines.
//!
//! ```text
//!                          ┌─▶ worker[0] ─┐
//! bands ── bands to do ────┼─▶ worker[1] ─┼─── bands done ──▶ canvas ──▶ PNG
//!                          └─▶    …      ─┘
//! ```
//!
//! All processes are coroutines of one thread, and they take turns. So one core would do all the work, for any number of
//! workers. Therefore a worker hands its band to `csp::compute`, which runs it on rayon's threads, one for each core.
//! Meanwhile the worker waits and the others go on. Inside, `par_chunks_mut` splits the band further.
//! The picture is written in a `csp::io`, so a slow disk holds no other process up.
//!
//! `--compare` shows the gain: the same farm computes in its own thread and on all cores, by turns.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use csp::{Channel, Reader, Writer, parallel, process};
use rayon::prelude::*;

/// Draws a Julia set into a PNG file, on all cores.
#[derive(Parser)]
struct Arguments {
    /// Width and height of the picture, in pixels
    #[arg(long, default_value_t = 1_200, value_parser = clap::value_parser!(u32).range(16..=10_000))]
    size: u32,
    /// Workers that compute bands
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// File to write the picture to
    #[arg(long, default_value = "target/parallel_image.png")]
    output: PathBuf,
    /// Draw it three times in one thread and three times on all cores, and print both times
    #[arg(long)]
    compare: bool,
}

/// The place where a band is computed.
#[derive(Clone, Copy)]
enum Place {
    /// In the thread that all coroutines share.
    Here,
    OnAllCores,
}

/// Some lines of pixels, three bytes each.
struct Band {
    number: usize,
    pixels: Vec<u8>,
}

const LINES: u32 = 64;

#[process]
fn bands(to_do: Writer<usize>, count: usize) -> csp::Result {
    (0..count).try_for_each(|number| Ok(to_do.write(number)?))
}

#[process]
fn worker(to_do: Reader<usize>, done: Writer<Band>, size: u32, place: Place) -> csp::Result {
    for number in &to_do {
        let first = number as u32 * LINES;
        let length = 3 * size as usize;
        let mut pixels = vec![0; LINES.min(size - first) as usize * length];
        let draw = |(y, line): (usize, &mut [u8])| draw_line(line, first + y as u32, size);
        match place {
            Place::Here => pixels.chunks_mut(length).enumerate().for_each(draw),
            Place::OnAllCores => {
                csp::compute(|| pixels.par_chunks_mut(length).enumerate().for_each(draw));
            }
        }
        done.write(Band { number, pixels })?;
    }
    Ok(())
}

#[process]
fn canvas(done: Reader<Band>, size: u32) -> Vec<u8> {
    let length = (3 * LINES * size) as usize;
    let mut picture = vec![0; (3 * size * size) as usize];
    for Band { number, pixels } in &done {
        picture[number * length..][..pixels.len()].copy_from_slice(&pixels);
    }
    picture
}

fn draw_line(line: &mut [u8], y: u32, size: u32) {
    for (x, pixel) in line.chunks_mut(3).enumerate() {
        // The mean of four points in it.
        let mut sum = [0_u32; 3];
        for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
            let at = |n: f64| 3.0 * n / f64::from(size) - 1.5;
            let colour = colour(steps(at(x as f64 + dx), at(f64::from(y) + dy)));
            sum.iter_mut().zip(colour).for_each(|(sum, part)| *sum += u32::from(part));
        }
        pixel.iter_mut().zip(sum).for_each(|(part, sum)| *part = (sum / 4) as u8);
    }
}

const LIMIT: u32 = 200;

/// Returns the steps until z ← z² + c leaves the circle of radius 2.
fn steps(mut x: f64, mut y: f64) -> u32 {
    const C: (f64, f64) = (-0.8, 0.156);
    let left = |_: &u32| {
        (x, y) = (x * x - y * y + C.0, 2.0 * x * y + C.1);
        x * x + y * y > 4.0
    };
    (0..LIMIT).find(left).unwrap_or(LIMIT)
}

fn colour(steps: u32) -> [u8; 3] {
    let t = f64::from(steps) / f64::from(LIMIT);
    let part = |scale: f64, power: i32| (255.0 * (scale * t).min(1.0).powi(power)) as u8;
    [part(1.2, 2), part(2.5, 3), part(4.0, 1)]
}

fn draw(size: u32, workers: usize, place: Place) -> (Vec<u8>, Duration) {
    let start = Instant::now();
    let (to_do, done) = (Channel::new(), Channel::new());
    let (_, _, picture) = parallel!(
        bands(to_do.writer(), size.div_ceil(LINES) as usize),
        workers * worker(to_do.reader(), done.writer(), size, place),
        canvas(done.reader(), size),
    );
    (picture, start.elapsed())
}

/// Adds the name of a file or folder to the error about it.
fn about(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[csp::io]
fn save(picture: &[u8], size: u32, output: &PathBuf) -> Result<(), Box<dyn Error + Send + Sync>> {
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder).map_err(about(folder))?;
    }
    let file = BufWriter::new(File::create(output).map_err(about(output))?);
    let mut encoder = png::Encoder::new(file, size, size);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(picture)?;
    Ok(())
}

/// Returns the median.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[csp::main]
fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let Arguments { size, workers, output, compare } = Arguments::parse();
    let (picture, _) = draw(size, workers, Place::OnAllCores);
    save(&picture, size, &output)?;
    println!("{size} x {size} pixels in {}", output.display());
    if compare {
        let (mut here, mut all) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let (same, time) = draw(size, workers, Place::Here);
            assert!(same == picture, "it is the same picture wherever it is drawn");
            here.push(time);
            all.push(draw(size, workers, Place::OnAllCores).1);
        }
        let (here, all) = (median(here), median(all));
        let gain = here.as_secs_f64() / all.as_secs_f64();
        println!("in one thread {here:.0?}, on all cores {all:.0?}: {gain:.2} times as fast");
    }
    Ok(())
}
