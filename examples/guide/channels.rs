use csp::{Channel, Reader, Writer, parallel, process};

/// Answers questions: each comes with the channel for its answer.
#[process]
fn oracle(questions: Reader<(u32, Writer<u32>)>) -> csp::Result {
    for (n, answer) in &questions {
        answer.write(2 * n)?;
    }
    Ok(())
}

#[process]
fn asks(questions: Writer<(u32, Writer<u32>)>, n: u32) -> csp::Result<u32> {
    let answer = Channel::new();
    questions.write((n, answer.writer()))?;
    answer.reader().read()
}

#[process]
fn prefers_its_own(values: Writer<String>) -> Option<String> {
    // The reader is gone: the value comes back.
    values.write("mine".to_owned()).err().map(csp::WriteError::into_inner)
}

#[csp::main]
fn main() {
    let questions = Channel::new().named("questions");
    let (_, answers) = parallel!(oracle(questions.reader()), 3 * asks(questions.writer(), 21));
    println!("{answers:?}");

    // With room for two values a write need not wait.
    let buffered = Channel::buffered(2);
    let (writer, reader) = (buffered.writer(), buffered.reader());
    writer.write("first").unwrap();
    writer.write("second").unwrap();
    drop(writer);
    println!("{:?}", reader.iter().collect::<Vec<_>>());

    let nobody_reads = Channel::new();
    drop(nobody_reads.reader());
    println!("{:?}", parallel!(prefers_its_own(nobody_reads.writer())).0);
}
