//! What each state type does: on entry, and when what it waits for has come.

mod branch;
mod call;
pub(super) mod callback;
pub(super) mod contact;
pub(super) mod gather;
pub(super) mod gather_otp;
mod gather_passcode;
mod gather_pin;
mod gather_service_code;
mod identify;
mod lookup;
mod menu;
mod message;
pub(super) mod notice;
mod returns;
mod secret;
mod send_code;
mod send_email_otp;
mod send_link;
mod send_sms_otp;
pub(super) mod set;
pub(super) mod transfer;
mod voicemail;

use super::call::End;
use super::event::Heard;
use super::machine::{Asks, Machine, Next};
use super::reply::Verb;
use super::turn::Remark;
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State};

/// The state has just been entered.
pub(super) fn enter(m: &mut Machine<'_>, state: &State) -> Asks<Next> {
    match &state.kind {
        Kind::Say(say) => Ok(if m.say(&say.prompt)? {
            Next::Take(Outcome::Next)
        } else {
            Next::Fault(Remark::Unspeakable)
        }),
        Kind::Menu(menu) => menu::enter(m, menu),
        Kind::Gather(gather) => gather::enter(m, gather),
        Kind::Identify(identify) => identify::enter(m, identify),
        Kind::GatherPin(pin) => gather_pin::enter(m, pin),
        Kind::GatherPasscode(passcode) => gather_passcode::enter(m, passcode),
        Kind::SendSmsOtp(send) => {
            let sender = m.call.at.clone();
            Ok(Next::Take(send_sms_otp::send(m, send, sender)?))
        }
        Kind::SendEmailOtp(send) => {
            let sender = m.call.at.clone();
            Ok(Next::Take(send_email_otp::send(m, send, sender)?))
        }
        Kind::SendLink(link) => Ok(Next::Take(send_link::send(m, link)?)),
        Kind::GatherOtp(otp) => gather_otp::enter(m, otp),
        Kind::GatherServiceCode(code) => gather_service_code::enter(m, code),
        Kind::Callback(callback) => callback::enter(m, callback),
        Kind::Transfer(transfer) => transfer::enter(m, transfer),
        Kind::Voicemail(voicemail) => voicemail::enter(m, voicemail),
        Kind::Lookup(lookup) => lookup::enter(m, lookup),
        Kind::Branch(branch) => branch::enter(m, branch),
        Kind::Set(set) => set::enter(m, set),
        Kind::Call(call) => Ok(call::enter(m, call)),
        Kind::Return(back) => Ok(returns::enter(m, back)),
        Kind::Hangup(hangup) => {
            if let Some(prompt) = &hangup.prompt {
                m.say(prompt)?;
            }
            m.reply.verbs.push(Verb::Hangup);
            Ok(Next::End(End::Hangup))
        }
        Kind::Reject(reject) => {
            // A call that has been answered cannot be refused any more.
            let unanswered = m.reply.verbs.is_empty() && m.call.turns == 0;
            m.reply.verbs.push(if unanswered {
                Verb::Reject { busy: reject.busy }
            } else {
                Verb::Hangup
            });
            Ok(Next::End(if unanswered { End::Rejected } else { End::Hangup }))
        }
    }
}

/// Something was heard on the leg that the flow speaks to.
pub(super) fn resume(m: &mut Machine<'_>, heard: &Heard) -> Asks<Next> {
    let Some(state) = m.state() else { return Ok(Next::Fault(Remark::NoSuchState)) };
    match &state.kind {
        Kind::Menu(menu) => menu::resume(m, menu, heard),
        Kind::Gather(gather) => gather::resume(m, gather, heard),
        Kind::Identify(identify) => identify::resume(m, identify, heard),
        Kind::GatherPin(pin) => gather_pin::resume(m, pin, heard),
        Kind::GatherPasscode(passcode) => gather_passcode::resume(m, passcode, heard),
        Kind::GatherOtp(otp) => gather_otp::resume(m, otp, heard),
        Kind::GatherServiceCode(code) => gather_service_code::resume(m, code, heard),
        Kind::Callback(_) => Ok(callback::poll(m)),
        Kind::Transfer(_) => Ok(transfer::resume(m, heard)),
        Kind::Voicemail(_) => Ok(voicemail::resume(heard)),
        // These never wait.
        Kind::Say(_)
        | Kind::SendSmsOtp(_)
        | Kind::SendEmailOtp(_)
        | Kind::SendLink(_)
        | Kind::Lookup(_)
        | Kind::Branch(_)
        | Kind::Set(_)
        | Kind::Call(_)
        | Kind::Return(_)
        | Kind::Hangup(_)
        | Kind::Reject(_) => Ok(Next::Fault(Remark::NoRoute)),
    }
}
