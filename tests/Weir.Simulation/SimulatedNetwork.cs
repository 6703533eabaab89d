using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Testing.Support;

namespace Weir.Simulation;

/// <summary>Who can be reached: takes requests, runs callbacks. A node that is down takes nothing.</summary>
public interface IEndpoint
{
    /// <summary>Differs after each start; what was meant for an earlier one is lost.</summary>
    int Incarnation { get; }

    /// <summary>Whether a process listens.</summary>
    bool IsUp { get; }

    /// <summary>Runs something on the node, later if it is paused, never if its incarnation is over.</summary>
    void Run(int incarnation, Action action);
}

/// <summary>What the network does to messages.</summary>
public sealed record NetworkFaults
{
    /// <summary>Messages of 1000 whose connection breaks.</summary>
    public int ResetPerMille { get; init; }

    /// <summary>Requests of 1000 that come twice.</summary>
    public int DuplicatePerMille { get; init; }

    /// <summary>Messages of 1000 that are slow, up to some seconds.</summary>
    public int SlowPerMille { get; init; }

    /// <summary>Answers with records of 1000 in which a bit is flipped on the way.</summary>
    public int DamagePerMille { get; init; }

    /// <summary>Usual latency, microseconds.</summary>
    public int LatencyUs { get; init; } = 200;
}

/// <summary>
/// Connections between endpoints: in order within one, in any order across two of them, cut by partitions in one or both
/// directions, broken with requests half delivered.
/// </summary>
public sealed class SimulatedNetwork(World world)
{
    private const int MaxSlowUs = 3_000_000;
    private readonly SeededRandom _random = world.Stream(2);
    private readonly SortedDictionary<int, IEndpoint> _endpoints = [];
    private readonly Dictionary<(int From, int To), long> _lastDelivery = [];
    private readonly HashSet<(int From, int To)> _cut = [];

    /// <summary>What happens to messages now.</summary>
    public NetworkFaults Faults { get; set; } = new();

    /// <summary>Messages in 100 that are lost on a lossy link.</summary>
    public Dictionary<(int From, int To), int> LossPercent { get; } = [];

    public void Add(int id, IEndpoint endpoint) => _endpoints[id] = endpoint;

    /// <summary>Nothing gets from one to the other.</summary>
    public void Cut(int from, int to) => _cut.Add((from, to));

    /// <summary>Every link is whole again.</summary>
    public void Heal()
    {
        _cut.Clear();
        LossPercent.Clear();
    }

    /// <summary>Flips a bit in the records of an answer, now and then.</summary>
    public IMessage Damage(IMessage response)
    {
        if (response is FetchReplicaResponse { Records.Length: > 0 } fetched && _random.Chance(Faults.DamagePerMille, 1000))
        {
            var records = fetched.Records.ToArray();
            records[_random.Next(records.Length)] ^= (byte)(1 << _random.Next(8));
            return new FetchReplicaResponse { Error = fetched.Error, Partitions = fetched.Partitions, Records = records };
        }

        return response;
    }

    public bool IsCut(int from, int to) => _cut.Contains((from, to));

    /// <summary>Sends a request; exactly one of the callbacks runs at the sender, unless its incarnation ends.</summary>
    /// <param name="from">Sender.</param>
    /// <param name="to">Receiver.</param>
    /// <param name="timeoutMs">When the sender gives up.</param>
    /// <param name="deliver">Runs at the receiver with what sends the reply back: an action to run at the sender.</param>
    /// <param name="onFailed">Runs at the sender.</param>
    public void Request(int from, int to, int timeoutMs, Action<Action<Action>> deliver, Action<ErrorCode> onFailed)
    {
        var sender = _endpoints[from];
        var exchange = new Exchange(this, from, to, sender, onFailed);
        world.After(timeoutMs * 1000L, () => exchange.Fail(ErrorCode.RequestTimedOut));
        if (!_endpoints.TryGetValue(to, out var receiver))
        {
            world.After(Latency(), () => exchange.Fail(ErrorCode.ConnectionLost));
            return;
        }

        if (IsLost(from, to))
        {
            return;
        }

        if (!receiver.IsUp)
        {
            world.After(Latency(), () => exchange.Fail(ErrorCode.ConnectionLost));
            return;
        }

        if (_random.Chance(Faults.ResetPerMille, 1000))
        {
            Reset(exchange, receiver, deliver);
            return;
        }

        var incarnation = receiver.Incarnation;
        world.After(InOrder(from, to), () => Deliver(exchange, receiver, incarnation, deliver));
        if (_random.Chance(Faults.DuplicatePerMille, 1000))
        {
            world.After(_random.Next(MaxSlowUs), () => Deliver(exchange, receiver, incarnation, deliver));
        }
    }

    /// <summary>The connection breaks: the sender is told, and the request may come nevertheless, after later ones.</summary>
    private void Reset(Exchange exchange, IEndpoint receiver, Action<Action<Action>> deliver)
    {
        _lastDelivery.Remove((exchange.From, exchange.To));
        world.After(Latency(), () => exchange.Fail(ErrorCode.ConnectionLost));
        if (_random.Chance(1, 2))
        {
            var incarnation = receiver.Incarnation;
            world.After(_random.Next(MaxSlowUs), () => Deliver(exchange, receiver, incarnation, deliver));
        }
    }

    private void Deliver(Exchange exchange, IEndpoint receiver, int incarnation, Action<Action<Action>> deliver)
    {
        if (_cut.Contains((exchange.From, exchange.To)) && exchange.From != exchange.To)
        {
            return;
        }

        if (!receiver.IsUp || receiver.Incarnation != incarnation)
        {
            exchange.Fail(ErrorCode.ConnectionLost);
            return;
        }

        world.Trace((exchange.From << 8) | exchange.To);
        receiver.Run(incarnation, () => deliver(reply => SendReply(exchange, reply)));
    }

    private void SendReply(Exchange exchange, Action reply)
    {
        if (IsLost(exchange.To, exchange.From))
        {
            return;
        }

        world.After(InOrder(exchange.To, exchange.From), () => exchange.Complete(reply));
    }

    private bool IsLost(int from, int to) => from != to
        && (_cut.Contains((from, to)) || _random.Chance(LossPercent.GetValueOrDefault((from, to)), 100));

    private long Latency() => Faults.LatencyUs / 2 + _random.Next(Faults.LatencyUs + 1);

    private long InOrder(int from, int to)
    {
        if (from == to)
        {
            return 5;
        }

        var latency = _random.Chance(Faults.SlowPerMille, 1000) ? _random.Next(MaxSlowUs) : Latency();
        var time = Math.Max(world.NowUs + latency, _lastDelivery.GetValueOrDefault((from, to)) + 1);
        _lastDelivery[(from, to)] = time;
        return time - world.NowUs;
    }

    private sealed class Exchange(SimulatedNetwork network, int from, int to, IEndpoint sender, Action<ErrorCode> onFailed)
    {
        private readonly int _incarnation = sender.Incarnation;
        private bool _isDone;

        public int From => from;

        public int To => to;

        public void Fail(ErrorCode code)
        {
            if (!_isDone)
            {
                _isDone = true;
                sender.Run(_incarnation, () => onFailed(code));
            }
        }

        public void Complete(Action reply)
        {
            if (!_isDone && !(from != to && network._cut.Contains((to, from))))
            {
                _isDone = true;
                sender.Run(_incarnation, reply);
            }
        }
    }
}
