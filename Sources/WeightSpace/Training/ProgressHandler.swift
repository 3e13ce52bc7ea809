/// Is told what a long piece of work is at and how far it is, in units of its own; ends the work by throwing.
public typealias ProgressHandler = (_ activity: String, _ done: Int, _ total: Int) throws -> Void
