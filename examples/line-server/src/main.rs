//! A server that answers each line with the number of its words, until it is killed.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

fn main() -> ExitCode {
    let port = match std::env::args().nth(1).map(|port| port.parse::<u16>()) {
        Some(Ok(port)) => port,
        Some(Err(error)) => return fail(&format!("expected a port, found another thing: {error}")),
        None => return fail("expected a port, found nothing"),
    };
    match serve(port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}

fn serve(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("{}", listener.local_addr()?.port());
    for client in listener.incoming() {
        answer(client?)?;
    }
    Ok(())
}

fn answer(mut client: TcpStream) -> std::io::Result<()> {
    for line in BufReader::new(client.try_clone()?).lines() {
        let words = line?.split_whitespace().count();
        writeln!(client, "{words}")?;
    }
    Ok(())
}
