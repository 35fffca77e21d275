//! From a locale to the language tags that the provider knows, which differ for speaking and for
//! listening.
//!
//! A tag that the provider knows stands as it is. Any other is cut from its end, part by part, and
//! what is left looked up among the [`DEFAULTS`]: `es-AR` and `es-419` are spoken as `es-MX`,
//! `zh-Hans-SG` is heard as `cmn-Hans-CN`. A language that the provider does not know is left out, so
//! that its own choice holds: the voice's language in speaking, `en-US` in listening.

/// What `<Say language>` takes, in order.
#[rustfmt::skip]
pub(super) const SAY: &[&str] = &[
    "af-ZA", "am-ET", "ar-AE", "ar-XA", "arb", "bg-BG", "bn-IN", "ca-ES", "cmn-CN", "cmn-TW",
    "cs-CZ", "cy-GB", "da-DK", "de-AT", "de-DE", "el-GR", "en-AU", "en-CA", "en-GB",
    "en-GB-WLS", "en-IE", "en-IN", "en-NZ", "en-US", "en-ZA", "es-ES", "es-MX", "es-US",
    "fi-FI", "fil-PH", "fr-BE", "fr-CA", "fr-FR", "gu-IN", "he-IL", "hi-IN", "hu-HU", "id-ID",
    "is-IS", "it-IT", "ja-JP", "kn-IN", "ko-KR", "lv-LV", "ml-IN", "mr-IN", "ms-MY", "nb-NO",
    "nl-BE", "nl-NL", "pa-IN", "pl-PL", "pt-BR", "pt-PT", "ro-RO", "ru-RU", "sk-SK", "sr-RS",
    "sv-SE", "ta-IN", "te-IN", "th-TH", "tr-TR", "uk-UA", "vi-VN", "yue-HK", "zh-CN", "zh-HK",
    "zh-TW",
];

/// What `<Gather language>` takes, in order.
#[rustfmt::skip]
pub(super) const GATHER: &[&str] = &[
    "af-ZA", "am-ET", "ar-AE", "ar-BH", "ar-DZ", "ar-EG", "ar-IL", "ar-IQ", "ar-JO", "ar-KW",
    "ar-LB", "ar-MA", "ar-OM", "ar-PS", "ar-QA", "ar-SA", "ar-TN", "az-AZ", "bg-BG", "bn-BD",
    "bn-IN", "ca-ES", "cmn-Hans-CN", "cmn-Hant-TW", "cs-CZ", "da-DK", "de-DE", "el-GR", "en-AU",
    "en-CA", "en-GB", "en-GH", "en-IE", "en-IN", "en-KE", "en-NG", "en-NZ", "en-PH", "en-SG",
    "en-TZ", "en-US", "en-ZA", "es-AR", "es-BO", "es-CL", "es-CO", "es-CR", "es-DO", "es-EC",
    "es-ES", "es-GT", "es-HN", "es-MX", "es-NI", "es-PA", "es-PE", "es-PR", "es-PY", "es-SV",
    "es-US", "es-UY", "es-VE", "et-EE", "eu-ES", "fa-IR", "fi-FI", "fil-PH", "fr-CA", "fr-FR",
    "gl-ES", "gu-IN", "he-IL", "hi-IN", "hr-HR", "hu-HU", "hy-AM", "id-ID", "is-IS", "it-IT",
    "ja-JP", "jv-ID", "ka-GE", "km-KH", "kn-IN", "ko-KR", "lo-LA", "lt-LT", "lv-LV", "mk-MK",
    "ml-IN", "mn-MN", "mr-IN", "ms-MY", "my-MM", "nar-IQ", "nb-NO", "ne-NP", "nl-BE", "nl-NL",
    "pa-guru-IN", "pl-PL", "pt-BR", "pt-PT", "ro-RO", "ru-RU", "si-LK", "sk-SK", "sl-SI",
    "sq-AL", "sr-RS", "su-ID", "sv-SE", "sw-KE", "sw-TZ", "ta-IN", "ta-LK", "ta-MY", "ta-SG",
    "te-IN", "th-TH", "tr-TR", "uk-UA", "ur-IN", "ur-PK", "uz-UZ", "vi-VN", "yue-Hant-HK", "zh",
    "zh-TW", "zu-ZA",
];

/// Where a cut tag leads: the tags to try, in order. A language with one tag in a list needs no line.
const DEFAULTS: &[(&str, &[&str])] = &[
    ("ar", &["arb", "ar-EG"]),
    ("bn", &["bn-IN"]),
    ("cmn", &["cmn-CN", "cmn-Hans-CN"]),
    ("cmn-hant", &["cmn-TW", "cmn-Hant-TW"]),
    ("de", &["de-DE"]),
    ("en", &["en-US"]),
    ("es", &["es-MX"]),
    ("fr", &["fr-FR"]),
    ("iw", &["he-IL"]),
    ("nl", &["nl-NL"]),
    ("nn", &["nb-NO"]),
    ("no", &["nb-NO"]),
    ("pt", &["pt-BR"]),
    ("sw", &["sw-KE"]),
    ("ta", &["ta-IN"]),
    ("tl", &["fil-PH"]),
    ("ur", &["ur-PK"]),
    ("yue", &["yue-HK", "yue-Hant-HK"]),
    ("zh", &["zh-CN", "cmn-Hans-CN"]),
    ("zh-hk", &["zh-HK", "yue-Hant-HK"]),
    ("zh-hant", &["zh-TW"]),
    ("zh-hant-hk", &["zh-HK", "yue-Hant-HK"]),
];

/// The tag in which a locale is spoken.
pub(super) fn say(locale: &str) -> Option<&'static str> {
    known(locale, SAY)
}

/// The tag in which a locale is listened for.
pub(super) fn gather(locale: &str) -> Option<&'static str> {
    known(locale, GATHER)
}

fn known(locale: &str, tags: &[&'static str]) -> Option<&'static str> {
    // Most flows spell a language as the provider does.
    let exact = tags.binary_search(&locale).ok().and_then(|at| tags.get(at));
    if let Some(exact) = exact.filter(|_| locale != "zh") {
        return Some(exact);
    }
    let wanted = locale.replace('_', "-").to_ascii_lowercase();
    let find = |tag: &str| tags.iter().copied().find(|known| known.eq_ignore_ascii_case(tag));
    if let Some(exact) = find(&wanted).filter(|_| wanted != "zh") {
        return Some(exact);
    }
    let mut part = wanted.as_str();
    loop {
        let default = DEFAULTS.iter().find(|(cut, _)| *cut == part);
        if let Some(tag) = default.and_then(|(_, tags)| tags.iter().find_map(|tag| find(tag))) {
            return Some(tag);
        }
        match part.rsplit_once('-') {
            Some((shorter, _)) => part = shorter,
            None => return only(part, tags),
        }
    }
}

/// The tag of a language that has but one.
fn only(language: &str, tags: &[&'static str]) -> Option<&'static str> {
    let is_it = |tag: &&&str| tag.split('-').next() == Some(language);
    let mut found = tags.iter().filter(is_it).copied();
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_falls_back_to_a_tag_that_the_provider_knows() {
        for (locale, spoken, heard) in [
            ("en-US", Some("en-US"), Some("en-US")),
            ("en_us", Some("en-US"), Some("en-US")),
            ("en", Some("en-US"), Some("en-US")),
            ("en-KE", Some("en-US"), Some("en-KE")),
            ("es-AR", Some("es-MX"), Some("es-AR")),
            ("es-419", Some("es-MX"), Some("es-MX")),
            ("es-ES", Some("es-ES"), Some("es-ES")),
            ("de-CH", Some("de-DE"), Some("de-DE")),
            ("de-AT", Some("de-AT"), Some("de-DE")),
            ("fr-BE", Some("fr-BE"), Some("fr-FR")),
            ("ar-EG", Some("arb"), Some("ar-EG")),
            ("cy", Some("cy-GB"), None),
            ("zu-ZA", None, Some("zu-ZA")),
            ("pa-IN", Some("pa-IN"), Some("pa-guru-IN")),
            ("zh-CN", Some("zh-CN"), Some("cmn-Hans-CN")),
            ("zh", Some("zh-CN"), Some("cmn-Hans-CN")),
            ("zh-Hans-SG", Some("zh-CN"), Some("cmn-Hans-CN")),
            ("zh-Hant-HK", Some("zh-HK"), Some("yue-Hant-HK")),
            ("zh-Hant-TW", Some("zh-TW"), Some("zh-TW")),
            ("no", Some("nb-NO"), Some("nb-NO")),
            ("tlh", None, None),
            ("", None, None),
            ("-", None, None),
        ] {
            assert_eq!((say(locale), gather(locale)), (spoken, heard), "{locale}");
        }
    }

    #[test]
    fn every_language_with_several_tags_has_a_default() {
        for tags in [SAY, GATHER] {
            assert!(tags.is_sorted());
            for tag in tags {
                let language = tag.split('-').next().unwrap();
                assert!(known(language, tags).is_some(), "{tag}");
            }
        }
    }
}
