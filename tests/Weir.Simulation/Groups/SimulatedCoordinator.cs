using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Groups;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Simulation.Groups;

/// <summary>A coordinator for one leadership: the brokers' own, on the simulated log.</summary>
internal sealed class SimulatedCoordinator : IGroupHost, IGroupLog
{
    private readonly GroupWorld _world;
    private readonly SimulatedGroupLog _log;
    private readonly int _epoch;
    private bool _isStopped;

    public SimulatedCoordinator(GroupWorld world, SimulatedGroupLog log, OmittedGroupRules omits)
    {
        _world = world;
        _log = log;
        _epoch = log.Epoch;
        Machine = new GroupCoordinator(0, 1, world.Image, this, this, new CoordinatorOptions
        {
            SnapshotBytes = 3000, MaxWaiting = 3, NearMs = 300, Omitted = omits,
        });
        foreach (var value in log.Values())
        {
            Machine.Load(value);
        }

        Machine.OnCommitted(log.EndOffset);
        Machine.Activate();
    }

    public GroupCoordinator Machine { get; }

    public ILogger Logger => NullLogger.Instance;

    public long NowMs => _world.NowMs;

    public long WallClockMs => _world.NowMs;

    public long EndOffset => _log.EndOffset;

    public void Tick() => Do(Machine.Tick);

    public void OnCommitted(long offset) => Do(() => Machine.OnCommitted(offset));

    public void Stop()
    {
        Machine.End(ErrorCode.NotCoordinator, "another one leads");
        _isStopped = true;
    }

    public long Append(IReadOnlyList<byte[]> values) => _log.Append(_epoch, values);

    public void DeleteBefore(long offset)
    {
        // What a snapshot replaced stays readable here: it must not make a difference.
    }

    public void Read(LogIdentity partition, long offset, int maxBytes, Action<ReadOutcome> done) =>
        _world.Topics.Read(partition, offset, outcome => Do(() => Machine.Run(() => done(outcome))));

    public void LookUp(LogIdentity partition, StartPosition position, long value, Action<OffsetAnswer> done) =>
        _world.After(1 + _world.Random.Next(30), () => Do(() => Machine.Run(() =>
        {
            var end = _world.Topics.EndOf(partition);
            done(_world.HasFaults && _world.Random.Chance(1, 10)
                ? new OffsetAnswer { Error = ErrorCode.ConnectionLost }
                : new OffsetAnswer
                {
                    LogStartOffset = 0,
                    HighWatermark = end,
                    Offset = position switch
                    {
                        StartPosition.Earliest => 0,
                        StartPosition.Latest => end,
                        _ => Math.Clamp(value, 0, end),
                    },
                });
        })));

    public void Produce(LogIdentity partition, ReadOnlyMemory<byte> batch, Action<ProduceOutcome> done) =>
        _world.Topics.Produce(partition, batch, outcome => Do(() => Machine.Run(() => done(outcome))));

    public void InitProducer(Action<ErrorCode, long> done)
    {
        var id = _world.Oracle.NextProducerId();
        _world.After(10, () => Do(() => Machine.Run(() => done(ErrorCode.None, id))));
    }

    private void Do(Action action)
    {
        if (!_isStopped)
        {
            action();
        }
    }
}
