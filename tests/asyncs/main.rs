//! Processes that are futures, alone and among the others: the laws, and what holds only for them.

mod choice;
mod drops;
mod laws;
mod tokio;
