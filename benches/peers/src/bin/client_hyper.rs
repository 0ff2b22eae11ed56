//! hyper-util's legacy client, which has the pool.

use http_actors_peers::load;
use http_body_util::{BodyExt as _, Empty};
use hyper::Uri;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url: Uri = load::url().parse().expect("a URL");
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<&[u8]>>(connector);
    load::measure(async move || {
        let mut response = client.get(url.clone()).await?;
        if !response.status().is_success() {
            return Err(response.status().as_str().into());
        }
        let mut bytes = 0;
        while let Some(frame) = response.frame().await {
            bytes += frame?.data_ref().map_or(0, |data| data.len());
        }
        Ok(bytes)
    })
    .await;
}
