//! The rows of a data source: `POST /v1/data_sources/{id}/query`.

use serde_json::Value;

use crate::content::access::{Caller, Needs, What};
use crate::content::filter;
use crate::content::input::Input;
use crate::content::listing::answer;
use crate::content::node::{Kind, Node, Page};
use crate::error::NotionError;
use crate::notion::Notion;

impl Notion {
    /// `POST /v1/data_sources/{id}/query`. Rows in the trash are listed only if asked for.
    ///
    /// # Errors
    ///
    /// 404 `object_not_found`; 400 `validation_error` for a wrong filter, sort, page size or cursor.
    pub(crate) fn query_data_source(
        &self,
        caller: &Caller,
        id: &str,
        body: &Input<'_>,
    ) -> Result<Value, NotionError> {
        caller.may(Needs::Read)?;
        body.only(&["filter", "sorts", "start_cursor", "page_size", "in_trash", "result_type"])?;
        let node = self.find(caller, What::DataSource, id)?;
        let in_trash = body.bool_of("in_trash")?.unwrap_or_default();
        let (filter, sorts) = (body.some("filter"), body.some("sorts"));
        let rows = self.rows(node, filter.as_ref(), sorts.as_ref(), in_trash)?;
        answer("page_or_data_source", &rows, body, |row| self.object(row))
    }

    /// The rows of a data source that pass a filter, in order: as asked for, otherwise oldest first.
    ///
    /// # Errors
    ///
    /// `validation_error` for a wrong filter or sort.
    pub(crate) fn rows<'a>(
        &'a self,
        node: &'a Node,
        filter: Option<&Input<'_>>,
        sorts: Option<&Input<'_>>,
        in_trash: bool,
    ) -> Result<Vec<&'a Node>, NotionError> {
        let Some(source) = node.data_source() else { return Ok(Vec::new()) };
        if let Some(filter) = filter {
            // A wrong filter is an error even if there is no row.
            let probe = Node { kind: Kind::Page(Page::default()), ..node.clone() };
            filter::passes(filter, source, &probe)?;
        }
        let now_ms = self.now_ms();
        let mut rows = Vec::new();
        for id in &node.children {
            let Some(row) = self.memory.content.get(id) else { continue };
            if row.in_trash != in_trash || row.appears_at_ms > now_ms {
                continue;
            }
            let passes = filter.map_or(Ok(true), |filter| filter::passes(filter, source, row))?;
            if passes {
                rows.push(row);
            }
        }
        let sorts = sorts.map(|sorts| filter::sorts(sorts, source)).transpose()?.unwrap_or_default();
        rows.sort_by(|one, other| {
            let orders = sorts.iter().map(|sort| sort.compare(one, other));
            orders.into_iter().find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
        Ok(rows)
    }
}
