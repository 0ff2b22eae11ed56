//! A small curl on `HttpClient`. Look at `exchange`: it writes a body out while it comes in, and sends one from a file
//! or a pipe, each no faster than the other end takes it.
//!
//! Only bodies go to stdout, or to a file, with a progress bar on a terminal. Several URLs are requested one after
//! another over one client; if one fails, the next is still requested. The exit code is 0 if every exchange was
//! completed, whatever its status, 1 if not, and 2 for wrong usage.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use futures_util::future::ready;
use futures_util::stream::poll_fn;
use futures_util::{Stream, TryFutureExt as _};
use http_actors::{HttpClient, Method, Payload, Proxy, Route, SessionOptions};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::{mpsc, oneshot};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Gets URLs.
#[derive(Debug, Parser)]
#[command(name = "httpget")]
struct Flags {
    /// Method of the URL with the same number: GET, or POST with a body, if there is none
    #[arg(short = 'X', value_name = "METHOD")]
    methods: Vec<Method>,
    /// Body of requests other than GET, HEAD and TRACE; `-` is stdin, once
    #[arg(long, value_name = "FILE")]
    data_file: Option<PathBuf>,
    /// Time of one whole exchange, in seconds
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Where bodies go instead of stdout
    #[arg(short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Pause between two exchanges
    #[arg(long, value_name = "N", default_value_t = 0)]
    delay_ms: u64,
    /// Tell status and fields of each response, or its failure, on stderr
    #[arg(long)]
    report: bool,
    /// Follow redirects, up to ten
    #[arg(short = 'L')]
    location: bool,
    /// Proxy for all URLs; the environment counts otherwise
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Certificates to trust, for https
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// What to get
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Writes bodies in a thread: their reader may be slow, and time goes on.
struct Output {
    pieces: mpsc::Sender<(Bytes, oneshot::Sender<io::Result<()>>)>,
    is_file: bool,
}

impl Output {
    fn new(file: Option<File>) -> Self {
        let (pieces, mut coming) = mpsc::channel::<(Bytes, oneshot::Sender<_>)>(1);
        let is_file = file.is_some();
        std::thread::spawn(move || {
            let mut out: Box<dyn io::Write> = match file {
                Some(file) => Box::new(file),
                None => Box::new(io::stdout()),
            };
            while let Some((piece, done)) = coming.blocking_recv() {
                // Nobody may wait any more.
                drop(done.send(out.write_all(&piece).and_then(|()| out.flush())));
            }
        });
        Self { pieces, is_file }
    }

    /// Returns when the piece is out.
    async fn write(&self, piece: Bytes) -> io::Result<()> {
        let (done, written) = oneshot::channel();
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.pieces.send((piece, done)).await.map_err(|_| gone())?;
        written.await.map_err(|_| gone())?
    }

    /// Drawn on stderr, and only if that is a terminal.
    fn bar(&self, length: Option<u64>) -> ProgressBar {
        if !self.is_file {
            return ProgressBar::hidden();
        }
        let (bar, form) = match length {
            Some(length) => (
                ProgressBar::new(length),
                "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{spinner} {bytes} {bytes_per_sec}",
            ),
        };
        bar.with_style(ProgressStyle::with_template(form).expect("a constant"))
    }
}

/// What went wrong: with one exchange, or with the output, which is then of no use to the next one either.
enum Trouble {
    Exchange(Error),
    Output(io::Error),
}

impl<E: Into<Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Exchange(error.into())
    }
}

/// One exchange, to its end. Returns the head of the response.
async fn exchange(
    client: &HttpClient,
    flags: &Flags,
    nth: usize,
    output: &Output,
) -> Result<Payload, Trouble> {
    let method = match (flags.methods.get(nth), &flags.data_file) {
        (Some(method), _) => method.clone(),
        (None, Some(_)) => Method::POST,
        (None, None) => Method::GET,
    };
    let bare = matches!(method, Method::GET | Method::HEAD | Method::TRACE);
    let request = Payload::request(method, flags.urls[nth].parse()?)
        .header("User-Agent", concat!("httpget/", env!("CARGO_PKG_VERSION")))
        .header("Accept", "*/*");
    let (head, mut body) = match &flags.data_file {
        Some(path) if !bare => {
            let length = length(path)?;
            let mut request = request;
            request.set_length(length);
            let data = open(path, length)?;
            if length.is_none() {
                client.upload(request, data).await?
            } else {
                let mut data = Some(data);
                let mut again = || data.take().map_or_else(|| open(path, length), Ok);
                client
                    .upload_from(request, || ready(again()).try_flatten_stream())
                    .await?
            }
        }
        _ => client.stream(request).await?,
    };
    let bar = output.bar(head.body_size());
    while let Some(piece) = body.next().await {
        let piece = piece?;
        bar.inc(piece.len() as u64);
        output.write(piece).await.map_err(Trouble::Output)?;
    }
    bar.finish_and_clear();
    Ok(head)
}

/// The length of the body to send, if it is known: then it can be read again for a redirect.
fn length(path: &Path) -> io::Result<Option<u64>> {
    if path == Path::new("-") {
        return Ok(None);
    }
    let about = std::fs::metadata(path)?;
    Ok(about.is_file().then_some(about.len()))
}

/// Opens the body to send. A thread reads it as it is asked for.
fn open(
    path: &Path,
    length: Option<u64>,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + use<>> {
    static STDIN: std::sync::Once = std::sync::Once::new();
    let mut from: Box<dyn io::Read + Send> = if path == Path::new("-") {
        if STDIN.is_completed() {
            return Err(io::Error::other("stdin was sent already"));
        }
        STDIN.call_once(|| {});
        Box::new(io::stdin())
    } else {
        // A file that grows meanwhile is sent at the length that it had.
        Box::new(File::open(path)?.take(length.unwrap_or(u64::MAX)))
    };
    let (sender, mut pieces) = mpsc::channel(1);
    std::thread::spawn(move || {
        loop {
            let mut buffer = vec![0; 64 << 10];
            let piece = match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => {
                    buffer.truncate(read);
                    Ok(Bytes::from(buffer))
                }
                Err(error) => Err(error),
            };
            if piece.is_err() | sender.blocking_send(piece).is_err() {
                return;
            }
        }
    });
    Ok(poll_fn(move |cx| Pin::new(&mut pieces).poll_recv(cx)))
}

fn client(flags: &Flags) -> Result<HttpClient, Error> {
    let proxy = match &flags.proxy {
        Some(url) => Proxy::all(url)?,
        None => Proxy::from_env()?,
    };
    let mut options = SessionOptions::for_client();
    if let Some(path) = &flags.cacert {
        options.route = trusting(path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let redirects = if flags.location { 10 } else { 0 };
    Ok(HttpClient::builder()
        .options(options)
        .proxy(proxy)
        .redirects(redirects)
        .build())
}

/// Trusts the certificates in this file, and no others.
#[cfg(feature = "rustls")]
fn trusting(path: &Path) -> Result<Route, Error> {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path)? {
        roots.add(certificate?)?;
    }
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Route::default().tls(config.into()))
}

#[cfg(not(feature = "rustls"))]
fn trusting(_: &Path) -> Result<Route, Error> {
    Err("built without TLS".into())
}

/// Tells the outcome of an exchange. If nobody reads it, that is no failure.
fn tell(flags: &Flags, url: &str, outcome: &Result<Payload, Trouble>) {
    let mut text = Vec::new();
    match outcome {
        Ok(head) if flags.report => {
            let status = head.status().map_or(0, |status| status.as_u16());
            text.extend_from_slice(format!("status: {status:03}\n").as_bytes());
            for (name, value) in head.headers().iter() {
                text.extend_from_slice(
                    &[b"header: ", name.as_bytes(), b": ", value, b"\n"].concat(),
                );
            }
        }
        Ok(_) => {}
        Err(trouble) => {
            let reason = match trouble {
                Trouble::Exchange(error) => error.to_string(),
                Trouble::Output(error) => format!("cannot write: {error}"),
            };
            let line = if flags.report {
                format!("status: error\n{reason}\n")
            } else {
                format!("httpget: {url}: {reason}\n")
            };
            text.extend_from_slice(line.as_bytes());
        }
    }
    drop(io::stderr().write_all(&text));
}

fn usage(kind: ErrorKind, message: impl std::fmt::Display) -> ! {
    Flags::command().error(kind, message).exit()
}

#[actix::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    if flags.methods.len() > flags.urls.len() {
        usage(ErrorKind::TooManyValues, "more methods than URLs");
    }
    let client = client(&flags).unwrap_or_else(|error| usage(ErrorKind::ValueValidation, error));
    let file = flags.output.as_ref().map(File::create).transpose();
    let output = Output::new(file.unwrap_or_else(|error| usage(ErrorKind::Io, error)));
    let mut code = ExitCode::SUCCESS;
    for (nth, url) in flags.urls.iter().enumerate() {
        if nth > 0 {
            tokio::time::sleep(Duration::from_millis(flags.delay_ms)).await;
        }
        let exchange = exchange(&client, &flags, nth, &output);
        let outcome = match flags.timeout {
            Some(time) => tokio::time::timeout(time, exchange)
                .await
                .unwrap_or_else(|_| Err("the exchange timed out".into())),
            None => exchange.await,
        };
        tell(&flags, url, &outcome);
        if outcome.is_err() {
            code = ExitCode::FAILURE;
        }
        if let Err(Trouble::Output(_)) = outcome {
            break;
        }
    }
    code
}
