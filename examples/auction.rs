//! An auction with ten thousand bidders, each an `async fn` process: a process without a stack of its own.
//!
//! ```text
//! bidder[0] ─┐
//! bidder[1] ─┼─── bids ──▶ auctioneer
//!    …      ─┘      each bid carries the way for its answer
//! ```
//!
//! A bidder goes half the way from the price that it has heard to the most that it can pay. The auctioneer answers a bid
//! that is too low at once, and the leading bid only when another bid is higher. The highest bidder just waits meanwhile. The
//! auctioneer is an ordinary process with a stack. The two kinds share one channel. The bidder that can pay most wins.

use clap::Parser;
use csp::{Channel, Reader, Writer, parallel, process};

/// Sells one thing to the bidder that can pay most.
#[derive(Parser)]
struct Arguments {
    /// Bidders
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    bidders: u64,
}

/// The auctioneer's answer to a bid.
enum Answer {
    /// Another bidder has offered this much.
    Price(u64),
    Sold,
}

enum Bid {
    Offer {
        amount: u64,
        answer: Writer<Answer>,
    },
    /// The bidder leaves.
    Leaves,
}

/// Bids up to `most`, and returns whether it has got the thing.
#[process]
async fn bidder(most: u64, bids: Writer<Bid>) -> csp::Result<bool> {
    let mut price = 0;
    while price < most {
        let amount = price + (most - price).div_ceil(2);
        let (answer, answers) = {
            let channel = Channel::new(); // gone before the wait, because a handle could make another writer
            (channel.writer(), channel.reader())
        };
        bids.write_async(Bid::Offer { amount, answer }).await?;
        match answers.read_async().await? {
            Answer::Price(now) => price = now,
            Answer::Sold => return Ok(true),
        }
    }
    bids.write_async(Bid::Leaves).await?;
    Ok(false)
}

/// Sells to the last bidder, and returns the price and the number of bids.
#[process]
fn auctioneer(bids: Reader<Bid>, mut bidders: u64) -> csp::Result<(u64, u64)> {
    let (mut price, mut leader, mut count) = (0, None::<Writer<Answer>>, 0);
    while bidders > 1 || leader.is_none() {
        match bids.read()? {
            Bid::Leaves => bidders -= 1,
            Bid::Offer { amount, answer } => {
                count += 1;
                // If two bidders offer the same, the first one leads.
                let outbid = if amount > price {
                    price = amount;
                    leader.replace(answer)
                } else {
                    Some(answer)
                };
                if let Some(outbid) = outbid {
                    outbid.write(Answer::Price(price))?;
                }
            }
        }
    }
    leader.expect("a bidder that leads").write(Answer::Sold)?;
    Ok((price, count))
}

#[csp::main]
fn main() -> csp::Result {
    let Arguments { bidders } = Arguments::parse();
    let bids = Channel::new();
    // A process value for each bidder, because each can pay another sum.
    let all: Vec<_> = (1..=bidders).map(|most| bidder(most, bids.writer())).collect();
    let (won, sold) = parallel!(all, auctioneer(bids.reader(), bidders));

    let (price, count) = sold?;
    let winner = won.iter().position(|won| matches!(won, Ok(true))).expect("a winner");
    println!("bidder {} of {bidders} pays {price} after {count} bids", winner + 1);
    Ok(())
}
