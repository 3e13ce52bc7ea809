import ScreenModel

/// Numbers as they are shown: fixed width, sign always there, no locale.
enum Format {
    /// "1.25", "0.50"; digits behind the point 0...6.
    static func fixed(_ value: Float, _ digits: Int) -> String {
        fixed(Double(value), digits)
    }

    static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "?" : value < 0 ? "−∞" : "∞" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let units = (abs(value.clamped(to: -1e12...1e12)) * scale).rounded()
        let whole = Int64(units) / Int64(scale)
        var text = String(whole)
        if digits > 0 {
            let rest = String(Int64(units) % Int64(scale))
            text += "." + String(repeating: "0", count: digits - rest.count) + rest
        }
        return value < 0 && units > 0 ? "−" + text : text
    }

    /// "+1.25", "−0.50", "0.00".
    static func signed(_ value: Float) -> String {
        let text = fixed(value, 2)
        return !value.isFinite || text.first == "−" || !text.contains(where: { $0 != "0" && $0 != "." }) ? text : "+" + text
    }

    /// ".81", "−.20", "1.00": a similarity with two digits.
    static func similarity(_ value: Float) -> String {
        fixed(value, 2).replacing("0.", with: ".", maxReplacements: 1)
    }

    /// A step of the trail in so many columns: "wearing lip… +1.25". Where it is too long its words give way, not the value at its end.
    static func step(_ label: String, columns: Int) -> String {
        guard TextWidth.columns(of: label) > columns, let blank = label.lastIndex(of: " ") else {
            return TextWidth.truncate(label, to: columns)
        }
        let value = label[blank...]
        let room = columns - TextWidth.columns(of: String(value))
        guard let sign = value.dropFirst().first, "+−".contains(sign), room >= 4 else {
            return TextWidth.truncate(label, to: columns)
        }
        return TextWidth.truncate(String(label[..<blank]), to: room) + value
    }

    static func percent(_ share: Float) -> String { "\(Int((share * 100).rounded())) %" }

    /// "1,012".
    static func count(_ value: Int) -> String {
        var text = ""
        for (place, digit) in String(value).reversed().enumerated() {
            if place > 0, place % 3 == 0, digit != "-" { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    /// "90 ms", "1.4 s", "1 min 57 s", "12 min", "2 h 5 min".
    static func duration(_ seconds: Double) -> String {
        guard seconds < 99.5 else {
            let whole = Int(min(1e9, seconds.rounded()))
            if whole < 600 { return "\(whole / 60) min" + (whole % 60 > 0 ? " \(whole % 60) s" : "") }
            let minutes = (whole + 30) / 60
            return minutes < 60 ? "\(minutes) min" : "\(minutes / 60) h \(minutes % 60) min"
        }
        return seconds < 0.9995 ? "\(Int((max(0, seconds) * 1000).rounded())) ms" : "\(fixed(seconds, seconds < 10 ? 1 : 0)) s"
    }

    /// "2026-11-24 06:10" of seconds since 1970. Days from civil: Howard Hinnant's algorithm for the proleptic Gregorian calendar.
    static func date(_ seconds: Double, secondsFromUTC: Int) -> String {
        guard seconds.isFinite, abs(seconds) < 1e11 else { return "" }
        let local = Int(seconds.rounded(.down)) + secondsFromUTC
        let days = (local >= 0 ? local : local - 86_399) / 86_400
        let time = local - days * 86_400
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(year)-\(two(month))-\(two(day)) \(two(time / 3600)):\(two(time / 60 % 60))"
    }

    /// A name as part of a file's name: "p00042 + 2" becomes "p00042-2".
    static func fileName(_ name: String) -> String {
        var text = ""
        for character in name.lowercased() {
            if character.isLetter || character.isNumber || character == "." || character == "_" {
                text.append(character)
            } else if text.last != "-", !text.isEmpty {
                text.append("-")
            }
        }
        while let last = text.last, last == "-" || last == "." { text.removeLast() }
        while let first = text.first, first == "-" || first == "." { text.removeFirst() }
        return text.isEmpty ? "face" : String(text.prefix(80))
    }

    /// A name cut to a width: in the middle where it ends in a number, by which names of one kind differ, else at its end.
    static func shortName(_ name: String, to columns: Int) -> String {
        guard TextWidth.columns(of: name) > columns, columns >= 7, name.last?.isNumber == true else {
            return TextWidth.truncate(name, to: columns)
        }
        // From the back, what fits into half of it.
        var end = ""
        for character in name.reversed() {
            let longer = String(character) + end
            if TextWidth.columns(of: longer) > columns / 2 - 1 { break }
            end = longer
        }
        return TextWidth.truncate(name, to: columns - TextWidth.columns(of: end)) + end
    }
}
