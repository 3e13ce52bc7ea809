import Checkpoints
import Foundation
import NumericalTesting
import StableDiffusion
import TensorKit
import Testing

@Suite struct SchedulerTests {
    /// A traced run of a scheduler of diffusers (Fixtures/make_schedules.py).
    private struct Trace {
        let key: String
        let kind: String
        let steps: Int
        let configuration: JSONConfiguration

        func makeScheduler() throws -> any Scheduler {
            switch kind {
            case "plain":
                try DPMSolverMultistepScheduler(configuration: configuration, inferenceSteps: steps, useKarrasSigmas: false)
            default: try #require(SchedulerKind(rawValue: kind)).makeScheduler(configuration: configuration, steps: steps)
            }
        }
    }

    private func traces() throws -> [Trace] {
        let text = try String(contentsOf: fixture("schedules.json"), encoding: .utf8)
        return try JSONConfiguration(text: "{\"cases\":\(text)}", file: "schedules.json").objects("cases").map {
            try Trace(
                key: $0.require("key"), kind: $0.require("kind"), steps: $0.require("steps"),
                configuration: $0.object("configuration"))
        }
    }

    @Test func everyStepEqualsThatOfDiffusers() throws {
        let arrays = try StateDictionary(safetensors: fixture("schedules.safetensors"))
        let traces = try traces()
        #expect(traces.count > 80)
        for trace in traces {
            var scheduler = try trace.makeScheduler()
            #expect(try scheduler.timesteps == arrays.entry(trace.key + "/timesteps").integers(), "\(trace.key)")
            let samples = try arrays.entry(trace.key + "/samples").tensor()
            let outputs = try arrays.entry(trace.key + "/outputs").tensor()
            let originals = try arrays.entry(trace.key + "/originals").tensor()
            var sample = samples.rows(0..<1)
            for step in 0..<scheduler.timesteps.count {
                #expect(scheduler.stepIndex == step && !scheduler.isFinished)
                let result = scheduler.step(modelOutput: outputs.rows(step..<(step + 1)), sample: sample) {
                    Issue.record("\(trace.key) asked for noise")
                    return Tensor(zeros: sample.shape)
                }
                expectClose(
                    "\(trace.key) sample \(step + 1)", result.prevSample, samples.rows((step + 1)..<(step + 2)), tolerance: 1e-5)
                expectClose(
                    "\(trace.key) original \(step)", result.predOriginalSample, originals.rows(step..<(step + 1)), tolerance: 1e-5
                )
                sample = result.prevSample
            }
            #expect(scheduler.isFinished)
        }
    }

    /// Two runs of one sampler, stepped in turn, do not disturb each other, and a copy goes on from where it was made.
    @Test func runsAreValues() throws {
        let configuration = try JSONConfiguration(text: "{}", file: "scheduler_config.json")
        var first: any Scheduler = try SchedulerKind.dpmpp2M.makeScheduler(configuration: configuration, steps: 6)
        func output(_ step: Int) -> Tensor { Tensor([1, 1, 1, 2], [Float(step) * 0.3, 0.2]) }
        var sample = Tensor([1, 1, 1, 2], [1, -1])
        for step in 0..<3 { sample = first.step(modelOutput: output(step), sample: sample, noise: { sample }).prevSample }
        var second = first
        var (a, b) = (sample, sample)
        for step in 3..<6 {
            a = first.step(modelOutput: output(step), sample: a, noise: { a }).prevSample
            b = second.step(modelOutput: output(step), sample: b, noise: { b }).prevSample
        }
        #expect(a.array == b.array && first.isFinished && second.isFinished)
    }

    @Test(arguments: [
        (
            #"{"beta_schedule": "sigmoid"}"#,
            "\"beta_schedule\" should be linear, scaled_linear or squaredcos_cap_v2, found \"sigmoid\""
        ),
        (#"{"prediction_type": "flow_prediction"}"#, "\"prediction_type\" should be epsilon, sample, v_prediction"),
        (#"{"solver_type": 3}"#, "\"solver_type\" should be a text"),
        (#"{"thresholding": true}"#, "\"thresholding\" should be false"),
        (#"{"algorithm_type": "sde-dpmsolver++"}"#, "\"algorithm_type\" should be dpmsolver++"),
        (#"{"solver_order": 3}"#, "\"solver_order\" should be between 1 and 2"),
        (#"{"use_beta_sigmas": true}"#, "\"use_beta_sigmas\" should be false"),
        (#"{"num_train_timesteps": 0}"#, "\"num_train_timesteps\" should be between 1"),
        (#"{"trained_betas": [2, 3]}"#, "\"trained_betas\" should be"),
        (#"{"final_sigmas_type": "x"}"#, "\"final_sigmas_type\" should be zero, sigma_min, found \"x\""),
    ])
    func whatCannotBeHonouredIsNamed(text: String, expected: String) throws {
        let configuration = try JSONConfiguration(text: text, file: "s.json")
        #expect(message { try SchedulerKind.dpmpp2M.makeScheduler(configuration: configuration, steps: 5) }.contains(expected))
    }

    @Test(arguments: SchedulerKind.allCases, [0, -1, 1001]) func impossibleStepsAreRefused(kind: SchedulerKind, steps: Int) throws
    {
        let configuration = try JSONConfiguration(text: "{}", file: "s.json")
        #expect(throws: StableDiffusionError.steps(steps, limit: 1000)) {
            try kind.makeScheduler(configuration: configuration, steps: steps)
        }
    }

    @Test func stepsThatLeaveTheScheduleAreRefused() throws {
        let configuration = try JSONConfiguration(text: #"{"steps_offset": 1}"#, file: "s.json")
        let text = message { try SchedulerKind.ddim.makeScheduler(configuration: configuration, steps: 1000) }
        #expect(text.contains("\"steps_offset\" should be less"))
    }
}
