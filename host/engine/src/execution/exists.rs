//! Whether an execution exists, for lists of what belongs to it.

use model::ExecutionId;

use crate::{Engine, Error, Page};

impl Engine {
    /// Returns a page of what belongs to an execution; `None` if the namespace has no such
    /// execution. A row proves that the execution exists, so only an empty page, or a
    /// namespace, costs a lookup.
    pub(crate) async fn of_execution<T, P>(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        page: Page<T, P>,
    ) -> Result<Option<Page<T, P>>, Error> {
        let proven = !(page.rows.is_empty() && page.unreadable.is_empty());
        let exists = namespace.is_none() && proven || self.exists(id, namespace).await?;
        Ok(exists.then_some(page))
    }
}
