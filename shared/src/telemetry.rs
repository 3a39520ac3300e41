//! What the functions write to the log: JSON, one object per line.
//!
//! Each request ends with one line that also carries its metrics (CloudWatch embedded metric format). The field names
//! below are stable. All other lines are `tracing` events. From a request, both take only what is named here: no
//! query, no header, no body, no name, no token.

mod log;
mod metric;
mod request_line;

pub use log::{init, layer, targets};
pub use metric::{Measure, Metric};
pub use request_line::{METRICS_NAMESPACE, RequestLine};
