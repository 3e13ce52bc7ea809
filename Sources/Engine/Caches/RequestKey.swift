import Checkpoints
import EngineAPI

/// The name under which a picture is kept: SHA-256 over everything that decides it.
enum RequestKey {
    /// Grows when pictures change for equal requests, so that old files are not taken for new ones.
    private static let version = 1

    /// - Parameters:
    ///   - request: Whose picture, drawn how.
    ///   - fingerprint: `SpaceDescription.fingerprint` of the space it is drawn from.
    /// - Returns: 64 hexadecimal digits.
    static func digest(of request: RenderRequest, fingerprint: String) -> String {
        var bytes: [UInt8] = []
        func append(_ text: String) {
            append(UInt64(text.utf8.count))
            bytes.append(contentsOf: text.utf8)
        }
        func append(_ number: UInt64) {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        append("w2w picture \(version)")
        append(fingerprint)
        func append(_ subject: Subject) {
            switch subject {
            case .base:
                append("base")
            case .identity(let name):
                append("identity")
                append(name)
            case .code(let code):
                append("code")
                for value in code.values { append(UInt64(value.bitPattern)) }
            case .through(let model, let inner):
                append("through")
                append(model.rawValue)
                append(inner)
            }
        }
        append(request.subject)
        let settings = request.settings
        append(settings.prompt)
        append(settings.negativePrompt)
        append(settings.seed)
        append(UInt64(clamping: settings.steps))
        append(UInt64(settings.guidance.bitPattern))
        append(settings.scheduler.rawValue)
        append(UInt64(clamping: settings.width))
        append(UInt64(clamping: settings.height))
        if let injection = request.injection {
            append("injection")
            append(injection.early)
            append(UInt64(clamping: injection.timestep))
        }
        if let interval = request.guidanceInterval {
            append("guidance interval")
            append(UInt64(clamping: interval.lowerBound))
            append(UInt64(clamping: interval.upperBound))
        }
        return bytes.withUnsafeBytes { SHA256.hexDigest(of: $0) }
    }
}
