//! The words themselves, language by language.

use super::{Ago, Wording};
use crate::flow::level::Fact;

pub(super) const ENGLISH: Wording = Wording {
    apology: "We are sorry, something is not working on our side.",
    not_available: "not available",
    callback_stay: "We are now ringing the number we have on file for you. Please stay on this line, \
        answer that call, and key in this code there.",
    callback_hang_up: "Please note this code and hang up. We will ring you at the number we have on \
        file for you and ask you for it.",
    again: "Once more:",
    callback_ask: "Somebody has just called us. If that was you, key in the code you were given. If \
        not, please hang up.",
    callback_thanks: "Thank you.",
    callback_bye: "Thank you. Goodbye.",
    whisper_accept: "To take this call press 1.",
    not_verified: "Not verified.",
    verified: "Verified by",
    facts: [
        (Fact::Pin, "PIN"),
        (Fact::Passcode, "passcode"),
        (Fact::SmsOtp, "text message"),
        (Fact::EmailOtp, "e-mail"),
        (Fact::Callback, "callback"),
        (Fact::ServiceCode, "a code from the web"),
    ],
    one_factor: "a code from the web, where one factor was enough",
    ago: Ago {
        now: "just now",
        minute: "a minute ago",
        minutes: "{n} minutes ago",
        hours: "more than an hour ago",
    },
    sms: "You called {business}. Key in {code} on your phone. Nobody will ask you to say it. Didn't \
        call? Ignore this.",
    email_subject: "Your code for your call to {business}",
    email: "You are on the telephone with {business}.\n\nKey in {code} on your phone.\n\nNobody will ask you \
        to say it or to write it anywhere. Didn't call? Then ignore this mail, and give the code to \
        nobody.",
    notice_subject: "Your account with {business}",
    notice_failures: "{business}: somebody on the telephone tried to pass for you, and could not prove it. \
        If it was you, all is well. If not, please call us at the number that you know.",
    notice_disabled: "{business}: somebody on the telephone failed so often to prove that they are you that \
        this way is closed until you ask us to open it. Please call us at the number that you know.",
    notice_lifted: "{business}: a lock on your account for the telephone was lifted, and somebody has just \
        called. If it was not you, please call us at the number that you know.",
    notice_action: "{business}: somebody on the telephone has proved to be you and asked for something that \
        we tell you of each time. If it was not you, please call us at the number that you know.",
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    and: "and",
};

pub(super) const SPANISH: Wording = Wording {
    apology: "Lo sentimos, algo no funciona de nuestro lado.",
    not_available: "no disponible",
    callback_stay: "Ahora estamos llamando al número que tenemos registrado. Por favor, no cuelgue, \
        conteste esa llamada y marque allí este código.",
    callback_hang_up: "Por favor, anote este código y cuelgue. Le llamaremos al número que tenemos \
        registrado y se lo pediremos.",
    again: "Una vez más:",
    callback_ask: "Alguien acaba de llamarnos. Si fue usted, marque el código que recibió. Si no, por \
        favor cuelgue.",
    callback_thanks: "Gracias.",
    callback_bye: "Gracias. Adiós.",
    whisper_accept: "Para tomar esta llamada, oprima 1.",
    not_verified: "Sin verificar.",
    verified: "Verificado por",
    facts: [
        (Fact::Pin, "PIN"),
        (Fact::Passcode, "contraseña verbal"),
        (Fact::SmsOtp, "mensaje de texto"),
        (Fact::EmailOtp, "correo electrónico"),
        (Fact::Callback, "devolución de llamada"),
        (Fact::ServiceCode, "un código de la web"),
    ],
    one_factor: "un código de la web, donde bastó un solo factor",
    ago: Ago {
        now: "hace un momento",
        minute: "hace un minuto",
        minutes: "hace {n} minutos",
        hours: "hace más de una hora",
    },
    sms: "Usted llamó a {business}. Marque {code} en su teléfono. Nadie le pedirá que lo diga. ¿No \
        llamó? Ignore este mensaje.",
    email_subject: "Su código para la llamada a {business}",
    email: "Usted está al teléfono con {business}.\n\nMarque {code} en su teléfono.\n\nNadie le pedirá \
        que lo diga ni que lo escriba en ningún sitio. ¿No llamó? Ignore este correo y no dé el \
        código a nadie.",
    notice_subject: "Su cuenta con {business}",
    notice_failures: "{business}: alguien intentó hacerse pasar por usted por teléfono y no pudo probarlo. \
        Si fue usted, todo está bien. Si no, llámenos al número que usted conoce.",
    notice_disabled: "{business}: alguien falló tantas veces al probar por teléfono que es usted que esta vía \
        queda cerrada hasta que nos pida abrirla. Por favor, llámenos al número que usted conoce.",
    notice_lifted: "{business}: se levantó un bloqueo de su cuenta por teléfono y alguien acaba de llamar. Si \
        no fue usted, llámenos al número que usted conoce.",
    notice_action: "{business}: alguien probó por teléfono que es usted y pidió algo de lo que le avisamos \
        cada vez. Si no fue usted, llámenos al número que usted conoce.",
    months: [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    and: "con",
};

pub(super) const FRENCH: Wording = Wording {
    apology: "Nous sommes désolés, un problème est survenu de notre côté.",
    not_available: "non disponible",
    callback_stay: "Nous appelons maintenant le numéro que nous avons enregistré pour vous. Veuillez rester en \
        ligne, répondre à cet appel, et y saisir ce code.",
    callback_hang_up: "Veuillez noter ce code et raccrocher. Nous vous appellerons au numéro que nous avons \
        enregistré pour vous, et vous le demanderons.",
    again: "Encore une fois :",
    callback_ask: "Quelqu'un vient de nous appeler. Si c'était vous, saisissez le code qui vous a été donné. \
        Sinon, veuillez raccrocher.",
    callback_thanks: "Merci.",
    callback_bye: "Merci. Au revoir.",
    whisper_accept: "Pour prendre cet appel, tapez 1.",
    not_verified: "Non vérifié.",
    verified: "Vérifié par",
    facts: [
        (Fact::Pin, "code secret"),
        (Fact::Passcode, "mot de passe vocal"),
        (Fact::SmsOtp, "SMS"),
        (Fact::EmailOtp, "e-mail"),
        (Fact::Callback, "rappel"),
        (Fact::ServiceCode, "un code du site web"),
    ],
    one_factor: "un code du site web, où un seul facteur a suffi",
    ago: Ago {
        now: "à l'instant",
        minute: "il y a une minute",
        minutes: "il y a {n} minutes",
        hours: "il y a plus d'une heure",
    },
    // Letters of GSM 7-bit alone, so that it is one message.
    sms: "Vous appelez {business}. Tapez {code} sur votre téléphone. Personne ne vous demandera de le dire. \
        Vous n'appelez pas ? Ignorez ceci.",
    email_subject: "Votre code pour votre appel à {business}",
    email: "Vous êtes au téléphone avec {business}.\n\nTapez {code} sur votre téléphone.\n\nPersonne ne vous \
        demandera de le dire ni de l'écrire où que ce soit. Vous n'appelez pas ? Ignorez ce message, et ne \
        donnez le code à personne.",
    notice_subject: "Votre compte chez {business}",
    notice_failures: "{business} : quelqu'un a tenté au téléphone de se faire passer pour vous, et n'a pas pu le \
        prouver. Si c'était vous, tout va bien. Sinon, appelez-nous au numéro que vous connaissez.",
    notice_disabled: "{business} : quelqu'un a si souvent échoué au téléphone à prouver qu'il est vous que cette voie \
        est fermée tant que vous ne nous demandez pas de la rouvrir. Appelez-nous au numéro que vous connaissez.",
    notice_lifted: "{business} : un blocage de votre compte au téléphone a été levé, et quelqu'un vient d'appeler. Si \
        ce n'était pas vous, appelez-nous au numéro que vous connaissez.",
    notice_action: "{business} : quelqu'un a prouvé au téléphone qu'il est vous, et a demandé une chose dont nous vous \
        informons chaque fois. Si ce n'était pas vous, appelez-nous au numéro que vous connaissez.",
    months: [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    and: "et",
};

pub(super) const GERMAN: Wording = Wording {
    apology: "Es tut uns leid, bei uns funktioniert gerade etwas nicht.",
    not_available: "nicht verfügbar",
    callback_stay: "Wir rufen jetzt die Nummer an, die wir von Ihnen haben. Bitte bleiben Sie in der Leitung, nehmen \
        Sie den Anruf dort an, und geben Sie dort diesen Code ein.",
    callback_hang_up: "Bitte merken Sie sich diesen Code, und legen Sie auf. Wir rufen Sie unter der Nummer an, die \
        wir von Ihnen haben, und fragen Sie danach.",
    again: "Noch einmal:",
    callback_ask: "Gerade hat uns jemand angerufen. Wenn Sie das waren, geben Sie den Code ein, der Ihnen genannt \
        wurde. Wenn nicht, legen Sie bitte auf.",
    callback_thanks: "Danke.",
    callback_bye: "Danke. Auf Wiederhören.",
    whisper_accept: "Um diesen Anruf anzunehmen, drücken Sie die 1.",
    not_verified: "Nicht geprüft.",
    verified: "Geprüft durch",
    facts: [
        (Fact::Pin, "PIN"),
        (Fact::Passcode, "Kennwort"),
        (Fact::SmsOtp, "SMS"),
        (Fact::EmailOtp, "E-Mail"),
        (Fact::Callback, "Rückruf"),
        (Fact::ServiceCode, "einen Code aus dem Web"),
    ],
    one_factor: "einen Code aus dem Web, wo ein Faktor genügte",
    ago: Ago {
        now: "gerade eben",
        minute: "vor einer Minute",
        minutes: "vor {n} Minuten",
        hours: "vor mehr als einer Stunde",
    },
    sms: "Sie rufen {business} an. Geben Sie {code} auf Ihrem Telefon ein. Niemand wird Sie bitten, das zu sagen. Sie \
        rufen nicht an? Ignorieren Sie dies.",
    email_subject: "Ihr Code für Ihren Anruf bei {business}",
    email: "Sie telefonieren mit {business}.\n\nGeben Sie {code} auf Ihrem Telefon ein.\n\nNiemand wird Sie bitten, \
        das zu sagen oder irgendwohin zu schreiben. Sie rufen nicht an? Dann ignorieren Sie diese Mail, und geben \
        Sie den Code niemandem.",
    notice_subject: "Ihr Konto bei {business}",
    notice_failures: "{business}: Jemand hat sich am Telefon für Sie ausgegeben und konnte es nicht nachweisen. Waren \
        Sie das, ist alles gut. Wenn nicht, rufen Sie uns bitte unter der Nummer an, die Sie kennen.",
    notice_disabled: "{business}: Jemand konnte am Telefon so oft nicht nachweisen, Sie zu sein, dass dieser Weg \
        gesperrt ist, bis Sie uns bitten, ihn zu öffnen. Bitte rufen Sie uns unter der Nummer an, die Sie kennen.",
    notice_lifted: "{business}: Eine Sperre Ihres Kontos am Telefon wurde aufgehoben, und gerade hat jemand angerufen. \
        Waren Sie das nicht, rufen Sie uns bitte unter der Nummer an, die Sie kennen.",
    notice_action: "{business}: Jemand hat am Telefon nachgewiesen, Sie zu sein, und etwas verlangt, wovon wir Ihnen \
        jedes Mal berichten. Waren Sie das nicht, rufen Sie uns bitte unter der Nummer an, die Sie kennen.",
    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    and: "und",
};
