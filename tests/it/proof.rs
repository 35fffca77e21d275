//! That the checker is right: what it alarms of happens, and what it does not alarm of does not.

mod holes;
