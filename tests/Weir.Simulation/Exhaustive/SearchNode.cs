using Weir.Metadata.Quorum;
using Weir.Protocol.Wire;
using Weir.Testing.Support;

namespace Weir.Simulation.Exhaustive;

/// <summary>A node of a search: its disk, which outlives it, and while it runs its state machines.</summary>
internal abstract class SearchNode(SearchModel model, int nodeId, SimulatedDisk disk) : IPeerNetwork
{
    public int NodeId => nodeId;

    public bool IsUp { get; private set; }

    public int Incarnation { get; private set; }

    /// <summary>What its log holds on stable storage, as it was before a crash while it is down.</summary>
    public LogShape Durable { get; private set; } = LogShape.Empty;

    public SimulatedDisk Disk { get; private set; } = disk;

    protected SearchModel Model => model;

    /// <summary>Whether something was appended that is not on stable storage.</summary>
    public abstract bool NeedsFlush { get; }

    public void Start()
    {
        Incarnation++;
        IsUp = true;
        Open();
    }

    public void LosePower()
    {
        NoteDurable();
        IsUp = false;
        Close();
        Disk = Disk.Crash(0, CrashMode.AllLost);
    }

    /// <summary>Takes down what is on stable storage now.</summary>
    public void NoteDurable()
    {
        if (IsUp)
        {
            Durable = ReadDurable();
        }
    }

    public abstract void Flush();

    public abstract void Close();

    /// <inheritdoc/>
    public void Send<TRequest, TResponse>(int nodeId, TRequest request, int timeoutMs, Action<PeerReply<TResponse>> onReply)
        where TRequest : class, IRequest<TResponse>, new()
        where TResponse : class, IMessage, new() =>
        model.Pool.Send(
            this, nodeId, request, (response, code, text) => onReply(new PeerReply<TResponse>((TResponse?)response, code, text)));

    protected abstract void Open();

    protected abstract LogShape ReadDurable();
}
