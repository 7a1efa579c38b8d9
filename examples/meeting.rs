//! A room in one program, and people in others. They meet by an address.
//!
//! ```text
//!  ann's program          the room's program
//!    main ── said ──────▶ room ◀────── said ── bob's program
//!    show ◀── inbox ────── │ ──────── inbox ──▶
//! ```
//!
//! The room publishes the writing end of one channel. A program that has its address gets a clone of that end. Each person sends
//! an end of a channel of their own along, by which the room answers. A program that is killed takes nothing with it: its ends
//! retire, and the room forgets its inbox at the next line.
//!
//! Try it in three windows: `meeting room`, then `meeting join ann` and `meeting join bob`.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use csp::{Channel, Reader, Writer, alt, parallel, process, spawn};
use serde::{Deserialize, Serialize};

/// Lets people talk whose programs meet by an address.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
    /// File with the address, which is the permission to join
    #[arg(long, default_value = "meeting.address", global = true)]
    address: PathBuf,
}

#[derive(Subcommand)]
enum Role {
    /// The room
    Room {
        /// Address and port to listen at (port 0 for any free one)
        #[arg(long, default_value = "127.0.0.1:0")]
        at: String,
    },
    /// A person
    Join { name: String },
}

#[derive(Serialize, Deserialize)]
enum Said {
    Joined(String, Writer<String>),
    Line(String),
}

#[process]
fn room(said: Reader<Said>) {
    let mut inboxes: Vec<Writer<String>> = Vec::new();
    for said in &said {
        let line = match said {
            Said::Joined(name, inbox) => {
                inboxes.push(inbox);
                format!("{name} is here")
            }
            Said::Line(line) => line,
        };
        println!("{line}");
        inboxes.retain(|inbox| {
            let sent = alt! {
                inbox.write(line.clone()) => true,
                after(Duration::from_secs(1)) => false,
            };
            sent == Ok(true) // a person who has left or does not read is forgotten
        });
    }
}

#[process(daemon)] // the room keeps its writer
fn show(inbox: Reader<String>) {
    inbox.iter().for_each(|line| println!("{line}"));
    if let Some(end) = inbox.termination() {
        println!("the room is gone: {end}");
    }
}

#[csp::main]
fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { role, address } = Arguments::parse();
    match role {
        Role::Room { at } => {
            let said = Channel::new();
            let published = csp::publish(&format!("{at}/meeting"), said.writer())?;
            published.save(&address)?; // for its owner alone: the address is the permission
            println!("open");
            parallel!(room(said.reader()));
        }
        Role::Join { name } => {
            let said: Writer<Said> = csp::connect(&std::fs::read_to_string(&address)?)?;
            let inbox = Channel::buffered(64);
            spawn(show(inbox.reader()));
            said.write(Said::Joined(name.clone(), inbox.writer()))?;
            drop(inbox);
            while let Some(line) = csp::io(|| io::stdin().lines().next()) {
                said.write(Said::Line(format!("{name}: {}", line?)))?;
            }
        }
    }
    Ok(())
}
