//! reqwest 0.12.

use futures_util::TryStreamExt as _;
use http_actors_peers::load;
use reqwest::{Client, Url};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url: Url = load::url().parse().expect("a URL");
    let client = Client::new();
    load::measure(async move || {
        let response = client.get(url.clone()).send().await?.error_for_status()?;
        let mut body = response.bytes_stream();
        let mut bytes = 0;
        while let Some(data) = body.try_next().await? {
            bytes += data.len();
        }
        Ok(bytes)
    })
    .await;
}
