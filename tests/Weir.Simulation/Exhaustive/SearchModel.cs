using Weir.Metadata.Control;
using Weir.Protocol.Wire;

namespace Weir.Simulation.Exhaustive;

/// <summary>
/// The state machines of a few nodes, of which nothing moves but by a <see cref="Choice"/>. Made anew for each path of a
/// search: the same choices lead to the same state.
/// </summary>
internal abstract class SearchModel : IDisposable
{
    private const int MaxSettleRounds = 40;
    private readonly Queue<(int Node, int Incarnation, Action Work)> _posted = new();

    protected SearchModel(SearchOptions options)
    {
        Options = options;
        Pool = new MessagePool(this);
    }

    public SearchOptions Options { get; }

    public MessagePool Pool { get; }

    /// <summary>What went wrong; null while nothing has.</summary>
    public string? Violation { get; private set; }

    /// <summary>One clock for all: safety rests on none.</summary>
    public long NowMs { get; protected set; } = 1_000_000_000;

    /// <summary>Records that were published.</summary>
    public int Published { get; protected set; }

    protected abstract IReadOnlyList<SearchNode> Nodes { get; }

    /// <summary>Whether a request with its answer is worth a choice of its own: it is where nothing lies between the two.</summary>
    protected virtual bool HasExchanges => false;

    public SearchNode Node(int id) => Nodes[id - 1];

    public virtual bool IsUp(int node) => Node(node).IsUp;

    public void Violate(string rule, string text) => Violation ??= $"{rule}: {text}";

    /// <summary>Plans work for right after this step, unless the node has ended by then.</summary>
    public void Post(int node, int incarnation, Action work) => _posted.Enqueue((node, incarnation, work));

    /// <summary>Hands a request to a node.</summary>
    public abstract void Serve(int node, IMessage request, Action<IMessage> reply, Refuse refuse);

    /// <summary>Everything that can happen now.</summary>
    public void Collect(List<Choice> choices)
    {
        CollectMessages(choices);
        foreach (var node in Nodes)
        {
            if (!node.IsUp)
            {
                choices.Add(new Choice(ChoiceKind.Start, node.NodeId));
                continue;
            }

            if (node.NeedsFlush)
            {
                choices.Add(new Choice(ChoiceKind.Flush, node.NodeId));
            }

            choices.Add(new Choice(ChoiceKind.Crash, node.NodeId));
        }

        CollectOwn(choices);
    }

    /// <summary>Takes a step and looks whether everything holds that must.</summary>
    public void Do(Choice choice)
    {
        try
        {
            switch (choice.Kind)
            {
                case ChoiceKind.Deliver:
                    Pool.Deliver(Require(Pool.Head(choice.Node, choice.Peer)));
                    break;
                case ChoiceKind.DeliverLate:
                    Pool.Deliver(Require(Pool.Late(choice.Node, choice.Peer)));
                    break;
                case ChoiceKind.Exchange:
                    Exchange(Require(Pool.Head(choice.Node, choice.Peer)));
                    break;
                case ChoiceKind.GiveUp:
                    Pool.GiveUp(Require(Pool.Head(choice.Node, choice.Peer)));
                    break;
                case ChoiceKind.Settle:
                    Settle(choice.Node, choice.Peer);
                    break;
                case ChoiceKind.Flush:
                    Node(choice.Node).Flush();
                    break;
                case ChoiceKind.Start:
                    Start(Node(choice.Node));
                    break;
                case ChoiceKind.Crash:
                    Node(choice.Node).LosePower();
                    Pool.OnCrash(choice.Node);
                    break;
                default:
                    DoOwn(choice);
                    break;
            }

            RunPosted();
            Check();
        }
        catch (Exception e)
        {
            Violate("NoCrash", e.ToString());
        }
    }

    /// <summary>Tells two states apart: equal states have equal futures.</summary>
    public ulong Hash()
    {
        var hash = NewHash();
        AddTo(hash);
        foreach (var group in Pool.Messages.GroupBy(static message => (message.From, message.To)).OrderBy(static group => group.Key))
        {
            hash.Walk(group.ToList());
        }

        return hash.Value;
    }

    /// <summary>Where every node stands, for people.</summary>
    public abstract string Describe();

    public void Dispose()
    {
        foreach (var node in Nodes.Where(static node => node.IsUp))
        {
            node.Close();
        }
    }

    protected abstract void CollectOwn(List<Choice> choices);

    protected abstract void DoOwn(Choice choice);

    protected virtual StateHash NewHash() => new(Visit);

    protected abstract void AddTo(StateHash hash);

    /// <summary>Hashes an object in a way of its own.</summary>
    /// <returns>Whether that was all there is to hash of it.</returns>
    protected abstract bool Visit(StateHash hash, object value);

    protected abstract void CheckInvariants();

    protected virtual void Start(SearchNode node) => node.Start();

    /// <summary>Delivers and flushes everything everywhere until it is quiet.</summary>
    protected void SettleAll()
    {
        for (var round = 0; round < MaxSettleRounds && (Pool.Messages.Count > 0 || Nodes.Any(static node => node.NeedsFlush)); round++)
        {
            foreach (var message in Pool.Messages.ToList())
            {
                Pool.Deliver(message);
                RunPosted();
            }

            FlushAll(Nodes);
        }

        Check();
    }

    protected void RunPosted()
    {
        while (_posted.TryDequeue(out var posted))
        {
            var node = Node(posted.Node);
            if (node.IsUp && node.Incarnation == posted.Incarnation)
            {
                posted.Work();
            }
        }
    }

    private static InFlight Require(InFlight? message) =>
        message ?? throw new InvalidOperationException("there is no such message on its way");

    private void Check()
    {
        foreach (var node in Nodes)
        {
            node.NoteDurable();
        }

        CheckInvariants();
    }

    private void CollectMessages(List<Choice> choices)
    {
        var pairs = new HashSet<(int, int)>();
        foreach (var message in Pool.Messages)
        {
            var (from, to) = (message.From, message.To);
            if (message.IsLate)
            {
                if (ReferenceEquals(Pool.Late(from, to), message))
                {
                    choices.Add(new Choice(ChoiceKind.DeliverLate, from, to));
                }
            }
            else if (ReferenceEquals(Pool.Head(from, to), message))
            {
                choices.Add(new Choice(ChoiceKind.Deliver, from, to));
                if (!message.IsReply)
                {
                    choices.Add(new Choice(ChoiceKind.GiveUp, from, to));
                    if (HasExchanges)
                    {
                        choices.Add(new Choice(ChoiceKind.Exchange, from, to));
                    }
                }

                if (pairs.Add((Math.Min(from, to), Math.Max(from, to))) && Math.Min(from, to) > 0)
                {
                    choices.Add(new Choice(ChoiceKind.Settle, Math.Min(from, to), Math.Max(from, to)));
                }
            }
        }
    }

    private void Exchange(InFlight request)
    {
        Pool.Deliver(request);
        RunPosted();
        if (Pool.Head(request.To, request.From) is { IsReply: true } reply && ReferenceEquals(reply.Exchange, request.Exchange))
        {
            Pool.Deliver(reply);
        }
    }

    private void Settle(int one, int other)
    {
        for (var round = 0; round < MaxSettleRounds; round++)
        {
            var message = Pool.Head(one, other) ?? Pool.Head(other, one);
            if (message is not null)
            {
                Pool.Deliver(message);
                RunPosted();
            }
            else if (!FlushAll([Node(one), Node(other)]))
            {
                return;
            }
        }
    }

    private bool FlushAll(IReadOnlyList<SearchNode> nodes)
    {
        var flushed = false;
        foreach (var node in nodes.Where(static node => node is { IsUp: true, NeedsFlush: true }))
        {
            node.Flush();
            RunPosted();
            flushed = true;
        }

        return flushed;
    }
}
