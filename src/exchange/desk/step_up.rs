//! A specialist asks that a caller prove more: what that means for the call, and the asking.

use crate::engine::call::Asked;
use crate::engine::event::Event;
use crate::engine::id::CallId;
use crate::engine::step_up::{Asking, asking};
use crate::exchange::{Exchange, ExchangeError};
use crate::flow::name::LevelName;
use crate::limits;

impl Exchange {
    /// Asks for a level; `Ok(None)`: there is no such call. If two ask for the same, it is asked once, and both
    /// get the same answer.
    pub async fn ask_step_up(
        &self,
        id: CallId,
        level: &LevelName,
        by: &str,
    ) -> Result<Option<(Asking, Option<Asked>)>, ExchangeError> {
        for _ in 0..limits::COMMIT_TRIES_MAX {
            let Some(loaded) = self.load(id).await? else { return Ok(None) };
            let flows = self.flows_of(&loaded.call).await?;
            let found = asking(&flows, &loaded.call, level);
            if !matches!(found, Asking::New | Asking::Pending(_)) {
                return Ok(Some((found, None)));
            }
            let event = Event::StepUp { level: level.clone(), by: by.to_owned() };
            if let Some(told) = self.tell(id, None, |_| Some(event.clone())).await? {
                return Ok(Some((found, told.call.agent_step_up.clone())));
            }
            if matches!(found, Asking::Pending(_)) {
                return Ok(Some((found, loaded.call.agent_step_up)));
            }
            // Something happened to the call meanwhile: look again.
        }
        Err(ExchangeError::Contended)
    }
}
