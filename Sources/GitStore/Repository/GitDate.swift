public import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// The type has a method of that name.
private func systemTime() -> time_t { time(nil) }

/// A moment and the zone that it was told in: `1700000000 +0100`.
public struct GitDate: Hashable, Sendable {
    /// Since 1970-01-01 00:00 UTC.
    public let seconds: Int64
    /// East of UTC, in minutes.
    public let zoneMinutes: Int

    public init(seconds: Int64, zoneMinutes: Int) {
        self.seconds = seconds
        self.zoneMinutes = zoneMinutes
    }

    /// Now, in this machine's zone.
    public static var now: GitDate {
        let seconds = Int64(systemTime())
        return GitDate(seconds: seconds, zoneMinutes: localZone(at: seconds))
    }

    /// As commits and reflogs hold it: `1700000000 +0100`.
    public var encoded: ByteString { ByteString("\(seconds) \(zone)") }

    /// `+0100`.
    var zone: String {
        let size = zoneMinutes.magnitude
        let digits = String(size / 60 * 100 + size % 60)
        let zeros = String(repeating: "0", count: max(0, 4 - digits.count))
        return (zoneMinutes < 0 ? "-" : "+") + zeros + digits
    }

    /// This machine's zone at that moment, in minutes east of UTC.
    static func localZone(at seconds: Int64) -> Int {
        var moment = time_t(seconds)
        var local = tm()
        guard localtime_r(&moment, &local) != nil else { return 0 }
        return local.tm_gmtoff / 60
    }
}

extension GitDate {
    /// A date as `GIT_COMMITTER_DATE` and `GIT_AUTHOR_DATE` give one (git-commit, "DATE FORMATS"):
    ///
    ///     @1700000000 +0100          or without the @, if the seconds have nine digits or more
    ///     2005-04-07T22:13:13+0200   or with a space for the T; also 2005.04.07, 04/07/2005,
    ///                                07.04.2005; fractions of a second do not count
    ///     Thu, 07 Apr 2005 22:13:13 +0200
    ///
    /// Where the zone is missing it is this machine's. nil for anything else.
    public init?(parsing text: ByteString) {
        guard text.count <= 128, !text.bytes.contains(where: { $0 >= 0x80 }) else { return nil }
        let text = String(decoding: text.bytes, as: UTF8.self)
        let words = text.split { " \t\n,".contains($0) }.map(String.init)
        if let date = Self.raw(words) ?? Self.civil(words) { self = date } else { return nil }
    }

    private static func raw(_ words: [String]) -> GitDate? {
        guard let first = words.first, words.count <= 2 else { return nil }
        let isMarked = first.hasPrefix("@")
        let digits = isMarked ? String(first.dropFirst()) : first
        guard isMarked || digits.utf8.count >= 9, let seconds = number(digits) else { return nil }
        let zone: Int
        if words.count == 2 {
            guard let given = Self.zone(words[1]) else { return nil }
            zone = given
        } else {
            zone = localZone(at: Int64(seconds))
        }
        return GitDate(seconds: Int64(seconds), zoneMinutes: zone)
    }

    private static func civil(_ words: [String]) -> GitDate? {
        var words = words
        if let first = words.first, weekdays.contains(first.prefix(3).lowercased()) {
            words.removeFirst()
        }
        // 2005-04-07T22:13:13 as two words, like the rest.
        if let first = words.first, let mark = first.firstIndex(of: "T"),
            first.first?.isNumber == true
        {
            words[0 ... 0] = [String(first[..<mark]), String(first[first.index(after: mark)...])]
        }
        let day: (year: Int, month: Int, day: Int)
        if let numeric = words.first.flatMap(numericDay) {
            day = numeric
            words.removeFirst()
        } else if words.count >= 3, let named = namedDay(words[0], words[1], words[2]) {
            day = named
            words.removeFirst(3)
        } else {
            return nil
        }
        guard let clock = words.first, words.count <= 2 else { return nil }
        return civil(day, clock: clock, zone: words.count == 2 ? words[1] : nil)
    }

    private static func civil(
        _ day: (year: Int, month: Int, day: Int), clock: String, zone: String?
    ) -> GitDate? {
        // The zone may follow the time at once: 22:13:13+0200, 22:13:13Z.
        let end = clock.firstIndex { "+-Zz".contains($0) } ?? clock.endIndex
        let attached = end == clock.endIndex ? nil : String(clock[end...])
        guard attached == nil || zone == nil, let time = time(String(clock[..<end])),
            (1970 ... 9999).contains(day.year), (1 ... 12).contains(day.month),
            (1 ... 31).contains(day.day)
        else { return nil }
        let local = days(day.year, day.month, day.day) * 86_400 + time
        guard let text = attached ?? zone else {
            var parts = tm()
            parts.tm_year = Int32(day.year - 1900)
            parts.tm_mon = Int32(day.month - 1)
            parts.tm_mday = Int32(day.day)
            parts.tm_sec = Int32(time)
            parts.tm_isdst = -1
            let seconds = Int64(mktime(&parts))
            return GitDate(seconds: seconds, zoneMinutes: parts.tm_gmtoff / 60)
        }
        guard let minutes = Self.zone(text) else { return nil }
        return GitDate(seconds: Int64(local - minutes * 60), zoneMinutes: minutes)
    }

    /// 2005-04-07, 2005.04.07, 2005/04/07, 04/07/2005, 07.04.2005.
    private static func numericDay(_ text: String) -> (year: Int, month: Int, day: Int)? {
        guard let mark = text.first(where: { "-./".contains($0) }) else { return nil }
        let parts = text.split(separator: mark, omittingEmptySubsequences: false)
        let numbers = parts.compactMap { number(String($0)) }
        guard parts.count == 3, numbers.count == 3 else { return nil }
        if parts[0].count == 4 { return (numbers[0], numbers[1], numbers[2]) }
        guard parts[2].count == 4 else { return nil }
        switch mark {
        case "/": return (numbers[2], numbers[0], numbers[1])
        case ".": return (numbers[2], numbers[1], numbers[0])
        default: return nil
        }
    }

    /// 07 Apr 2005.
    private static func namedDay(
        _ day: String, _ month: String, _ year: String
    ) -> (year: Int, month: Int, day: Int)? {
        guard let day = number(day), let year = number(year),
            let month = months.firstIndex(of: month.prefix(3).lowercased())
        else { return nil }
        return (year, month + 1, day)
    }

    /// 22:13 or 22:13:13 or 22:13:13.019, in seconds.
    private static func time(_ text: String) -> Int? {
        let whole = text.split(separator: ".", omittingEmptySubsequences: false).first ?? ""
        let parts = whole.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { number(String($0)) }
        guard (2 ... 3).contains(parts.count), numbers.count == parts.count,
            numbers[0] < 24, numbers[1] < 60, numbers.count == 2 || numbers[2] <= 60
        else { return nil }
        return numbers[0] * 3_600 + numbers[1] * 60 + (numbers.count == 3 ? numbers[2] : 0)
    }

    /// +0200, +02:00, -02 or Z, in minutes.
    static func zone(_ text: String) -> Int? {
        if ["Z", "z", "UTC", "GMT"].contains(text) { return 0 }
        guard let sign = text.first, sign == "+" || sign == "-" else { return nil }
        let digits = text.dropFirst().filter { $0 != ":" }
        guard digits.count == 2 || digits.count == 4, let value = number(String(digits)) else {
            return nil
        }
        let minutes = digits.count == 2 ? value * 60 : value / 100 * 60 + value % 100
        guard digits.count == 2 || value % 100 < 60 else { return nil }
        return sign == "-" ? -minutes : minutes
    }

    /// Digits alone, at most 15 of them: no sum below can overflow.
    private static func number(_ text: String) -> Int? {
        guard (1 ... 15).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x30 ... 0x39).contains($0) })
        else { return nil }
        return Int(text)
    }

    /// Days from 1970-01-01 to that day.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        // Counted from March, so that a leap day comes last in its year.
        let shifted = month > 2 ? year : year - 1
        let fromMarch = (month + 9) % 12
        let leaps = shifted / 4 - shifted / 100 + shifted / 400
        return shifted * 365 + leaps + (fromMarch * 153 + 2) / 5 + day - 1 - 719_468
    }

    private static let weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    private static let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
}
