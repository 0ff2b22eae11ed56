//! awc 3.

use actix_web::http::Uri;
use awc::{Client, Connector};
use futures_util::TryStreamExt as _;
use http_actors_peers::load;

fn main() {
    let url: Uri = load::url().parse().expect("a URL");
    actix_rt::System::new().block_on(async {
        let connector = Connector::new().limit(load::concurrency());
        let client = Client::builder().connector(connector).finish();
        load::measure(async move || {
            let mut response = client
                .get(&url)
                .send()
                .await
                .map_err(|error| error.to_string())?;
            if !response.status().is_success() {
                return Err(response.status().as_str().into());
            }
            let mut bytes = 0;
            while let Some(data) = response.try_next().await? {
                bytes += data.len();
            }
            Ok(bytes)
        })
        .await;
    });
}
