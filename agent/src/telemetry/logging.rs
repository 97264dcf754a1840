//! Logs on standard error, for people or for machines.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use super::{audit, escape};
use crate::config::LogSettings;

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter does not parse.
    #[error("log.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Logging was set up before.
    #[error("logging is set up already")]
    AlreadySet,
}

/// Changes the filter of logs that are already being written.
#[derive(Clone, Debug)]
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

impl LogHandle {
    /// Uses the filter of `settings` from now on. The format stays: one file holds one format.
    ///
    /// # Errors
    /// If the filter does not parse; the former one then stays.
    pub fn reload(&self, settings: &LogSettings) -> Result<(), LogError> {
        let filter = filter(settings)?;
        // Fails only when the subscriber is gone, and it lives as long as the process.
        self.0.reload(filter).map_err(|_| LogError::AlreadySet)
    }
}

/// Sends this process's logs to standard error.
///
/// # Errors
/// If the filter does not parse, or logging was set up before.
pub fn init(settings: &LogSettings) -> Result<LogHandle, LogError> {
    let (filter, handle) = reload::Layer::new(filter(settings)?);
    tracing_subscriber::registry()
        .with(filter)
        .with(layer(settings.json, io::stderr))
        .try_init()
        .map_err(|_| LogError::AlreadySet)?;
    Ok(LogHandle(handle))
}

/// Audit records pass every filter that does not speak of them: a quieter log is no reason to lose them.
fn filter(settings: &LogSettings) -> Result<EnvFilter, LogError> {
    let filter = EnvFilter::builder().parse(&settings.filter)?;
    if settings.filter.contains(audit::TARGET) {
        return Ok(filter);
    }
    let always = "audit=info".parse().expect("a constant directive parses");
    Ok(filter.add_directive(always))
}

fn layer<W>(json: bool, to: W) -> Box<dyn Layer<Subscriber> + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Colours would be escape sequences of ours among escaped ones of others; a log file wants neither.
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(OneLine(to));
    if json {
        layer.json().flatten_event(true).boxed()
    } else {
        layer.boxed()
    }
}

type Subscriber = tracing_subscriber::layer::Layered<reload::Layer<EnvFilter, Registry>, Registry>;

/// Keeps every event on one line: all control characters but the final line end are escaped, whichever
/// field they came in with.
struct OneLine<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for OneLine<W> {
    type Writer = OneLineWriter<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLineWriter(self.0.make_writer())
    }
}

struct OneLineWriter<W>(W);

impl<W: Write> Write for OneLineWriter<W> {
    /// The subscriber hands over each event whole.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = Vec::with_capacity(event.len() + 1);
        escape::push_line(&mut line, text.strip_suffix('\n').unwrap_or(&text));
        line.push(b'\n');
        self.0.write_all(&line)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What `act` logs under `filter`.
    pub(in crate::telemetry) fn logged(
        filter_text: &str,
        json: bool,
        act: impl FnOnce(),
    ) -> String {
        let settings = LogSettings {
            filter: String::from(filter_text),
            json,
            access_log: false,
        };
        let (filter, _handle) = reload::Layer::new(filter(&settings).unwrap());
        let written = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&written);
        let subscriber = tracing_subscriber::registry()
            .with(filter)
            .with(layer(json, move || Shared(Arc::clone(&to))));
        tracing::subscriber::with_default(subscriber, act);
        let bytes = written.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_stays_on_one_line_whatever_its_fields_hold() {
        for json in [false, true] {
            let text = logged("info", json, || {
                tracing::info!(host = %"evil\nINFO all is well\u{1b}[2J\u{9b}", "refused\r\n");
            });
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert!(!text.trim_end().contains(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn json_events_are_json() {
        let text = logged("info", true, || tracing::info!(realm = "a\"b", "opened"));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&json["message"], &json["realm"]),
            (&"opened".into(), &"a\"b".into())
        );
    }

    #[test]
    fn a_quiet_filter_keeps_audit_records_unless_it_speaks_of_them() {
        let act = || {
            tracing::info!("chatter");
            tracing::info!(target: "audit", "kept");
        };
        let text = logged("error", false, act);
        assert!(text.contains("kept") && !text.contains("chatter"), "{text}");
        assert_eq!(logged("error,audit=off", false, act), "");
    }

    #[test]
    fn a_filter_that_does_not_parse_names_its_key() {
        let settings = LogSettings {
            filter: String::from("info,=!"),
            json: false,
            access_log: false,
        };
        assert!(
            filter(&settings)
                .unwrap_err()
                .to_string()
                .starts_with("log.filter")
        );
    }
}
