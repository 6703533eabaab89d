using Weir.Protocol.Messages;
using Weir.Testing.Support.History;

namespace Weir.Testing.Support.Tests.History;

/// <summary>
/// A log that is correct by construction, and the history of clients that use it: requests are pipelined, answered in any
/// order, late or never, and clients die.
/// </summary>
internal sealed class ModelBroker
{
    private const int Producers = 3;
    private const int Consumers = 3;
    private const int FinalReader = 100;
    private readonly SeededRandom _random;
    private readonly ModelPartition[] _partitions;
    private readonly List<ModelRequest> _toAppend = [];
    private readonly List<ModelRequest> _toAnswer = [];
    private readonly ModelReader[] _readers;
    private readonly ModelHistory _history = new();
    private long _time;
    private long _nextValue = 1;
    private int _nextBatch = 1;

    private ModelBroker(ulong seed)
    {
        _random = new SeededRandom(seed);
        _partitions = [.. Enumerable.Range(0, 1 + _random.Next(3)).Select(static i => new ModelPartition(new PartitionId("t", i)))];
        _readers = [.. Enumerable.Range(0, Consumers).Select(i => new ModelReader(10 + i, _random, _partitions.Length))];
    }

    /// <summary>The history of some steps, and of the final read.</summary>
    public static ModelHistory Run(ulong seed, int steps)
    {
        var broker = new ModelBroker(seed);
        for (var i = 0; i < steps; i++)
        {
            broker._time += broker._random.Next(3);
            broker.Step();
        }

        while (broker._toAppend.Count > 0)
        {
            broker.Append();
        }

        while (broker._toAnswer.Count > 0)
        {
            broker.Answer();
        }

        if (broker._random.Chance(1, 2))
        {
            broker.CatchUp();
        }

        broker.ReadFinally();
        return broker._history;
    }

    private void Step()
    {
        switch (_random.Next(100))
        {
            case < 25:
                Send();
                break;
            case < 50:
                Append();
                break;
            case < 70:
                Answer();
                break;
            case < 72:
                DropRequest();
                break;
            case < 74:
                ProducerDies();
                break;
            case < 76:
                Pick(_partitions).AppendControl(_history);
                break;
            case < 78:
                Pick(_partitions).Remove(_history, _random);
                break;
            case < 80:
                Pick(_readers).Move(_history, _partitions, ++_time);
                break;
            case < 90:
                Pick(_readers).Begin(_history, ++_time);
                break;
            default:
                Pick(_readers).End(_partitions, ++_time);
                break;
        }
    }

    private T Pick<T>(IReadOnlyList<T> list) => list[_random.Next(list.Count)];

    private void Send()
    {
        var request = new ModelRequest(_random.Next(Producers), Pick(_partitions));
        var acks = _random.Chance(1, 8) ? Pick([Acks.None, Acks.Leader]) : Acks.All;
        var isChosenByClient = _random.Chance(1, 4);
        var batch = _random.Chance(1, 2) ? _nextBatch++ : 0;
        for (var count = batch == 0 ? 1 : 1 + _random.Next(3); count > 0; count--)
        {
            request.Sends.Add(new ModelOperation
            {
                Kind = OperationKind.Send,
                Process = request.Producer,
                Invoked = ++_time,
                Partition = isChosenByClient ? null : request.Partition.Id,
                Value = _nextValue++,
                Acks = acks,
                Batch = batch,
            });
        }

        _history.Operations.AddRange(request.Sends);
        _toAppend.Add(request);
    }

    // Requests of one producer to one partition are appended in their order; those of others overtake.
    private void Append()
    {
        if (_toAppend.Count == 0)
        {
            return;
        }

        var any = Pick(_toAppend);
        var request = _toAppend.First(other => other.Producer == any.Producer && other.Partition == any.Partition);
        _toAppend.Remove(request);
        if (request.IsLost)
        {
            return;
        }

        request.IsRefused = _random.Chance(1, 10);
        if (!request.IsRefused)
        {
            var isForgotten = request.Sends[0].Acks != Acks.All && _random.Chance(1, 2);
            request.FirstOffset = request.Partition.Append(request.Sends, isForgotten);
        }

        _toAnswer.Add(request);
    }

    private void Answer()
    {
        if (_toAnswer.Count == 0)
        {
            return;
        }

        var request = Pick(_toAnswer);
        _toAnswer.Remove(request);
        var outcome = request.IsRefused ? Outcome.Fail : Outcome.Ok;
        if (_random.Chance(1, 6))
        {
            outcome = Outcome.Info;
        }

        for (var i = 0; i < request.Sends.Count; i++)
        {
            var send = request.Sends[i];
            if (send.Completed is not null || request.IsAbandoned)
            {
                continue;
            }

            send.Completed = ++_time;
            send.Outcome = outcome;
            if (outcome == Outcome.Ok)
            {
                send.Partition = request.Partition.Id;
                send.Offset = send.Acks == Acks.None ? -1 : request.FirstOffset + i;
            }
        }
    }

    // The client gives up; the request may yet arrive, or never does.
    private void DropRequest()
    {
        if (_toAppend.Count == 0)
        {
            return;
        }

        var request = Pick(_toAppend);
        request.IsLost = _random.Chance(1, 2);
        foreach (var send in request.Sends)
        {
            send.Completed ??= ++_time;
        }
    }

    private void ProducerDies()
    {
        var producer = _random.Next(Producers);
        foreach (var request in _toAppend.Concat(_toAnswer).Where(request => request.Producer == producer))
        {
            request.IsAbandoned = true;
        }

        _history.Operations.Add(new ModelOperation { Kind = OperationKind.Crash, Process = producer, Invoked = ++_time });
    }

    // One consumer reads on, mostly to the end.
    private void CatchUp()
    {
        var reader = Pick(_readers);
        for (var i = 0; i < 50; i++)
        {
            reader.Begin(_history, ++_time);
            reader.End(_partitions, ++_time);
        }
    }

    // Twice, so that every partition has an end that could go back.
    private void ReadFinally()
    {
        foreach (var partition in _partitions)
        {
            var position = 0L;
            for (var atEnd = 0; atEnd < 2; atEnd += position >= partition.End ? 1 : 0)
            {
                var poll = new ModelOperation
                {
                    Kind = OperationKind.Poll,
                    Process = FinalReader,
                    Invoked = ++_time,
                    Completed = ++_time,
                    Outcome = Outcome.Ok,
                    IsFinal = true,
                };
                poll.Slices.Add(partition.Read(ref position, 1 + _random.Next(6), withPosition: true, withEnd: true));
                _history.Operations.Add(poll);
            }
        }
    }
}

/// <summary>Records that go to a partition together.</summary>
internal sealed class ModelRequest(int producer, ModelPartition partition)
{
    public int Producer => producer;

    public ModelPartition Partition => partition;

    public List<ModelOperation> Sends { get; } = [];

    public long FirstOffset { get; set; }

    public bool IsLost { get; set; }

    public bool IsRefused { get; set; }

    public bool IsAbandoned { get; set; }
}
