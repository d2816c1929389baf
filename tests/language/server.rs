//! A web server for cases: it answers as it was told, and keeps what it was asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::case_file::{Answer, Instead};

/// What was asked.
#[derive(Clone)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// A server on a port of its own. Its threads end with the test binary.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    silent: Vec<TcpStream>,
}

impl Server {
    /// Starts it.
    pub fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("the port's address");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, shared) = (answers.clone(), Arc::clone(&shared));
                // A client that goes away in the middle is the client's affair.
                thread::spawn(move || drop(serve(stream, address, &answers, &shared)));
            }
        });
        Self { address, state }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked until now.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }
}

fn serve(stream: TcpStream, address: SocketAddr, answers: &[Answer], state: &Mutex<State>) -> std::io::Result<()> {
    let asked = read(&stream)?;
    let path = asked.path.split('?').next().unwrap_or_default().to_owned();
    let before = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.asked.iter().filter(|asked| asked.path.split('?').next() == Some(&path)).count();
        state.asked.push(asked);
        before
    };
    let of_path: Vec<&Answer> = answers.iter().filter(|answer| answer.path == path).collect();
    let Some(answer) = of_path.get(before).or(of_path.last()) else {
        return write(&stream, 404, &BTreeMap::new(), "the case has no answer for this path");
    };
    match answer.instead {
        Some(Instead::Close) => Ok(()),
        Some(Instead::Silence) => {
            state.lock().unwrap_or_else(PoisonError::into_inner).silent.push(stream);
            Ok(())
        }
        None => {
            let mut headers = answer.headers.clone();
            for value in headers.values_mut() {
                *value = value.replace("{server}", &format!("http://{address}"));
            }
            write(&stream, answer.code, &headers, &answer.body)
        }
    }
}

fn read(stream: &TcpStream) -> std::io::Result<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Asked { method, path, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn write(mut stream: &TcpStream, code: u16, headers: &BTreeMap<String, String>, body: &str) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {code} as-told\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())
}
