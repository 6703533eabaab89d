using System.Collections.Concurrent;
using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Metadata.Quorum;
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;
using Weir.Replication;
using Weir.Server.Diagnostics;
using Weir.Storage.Files;

namespace Weir.Server.Peers;

/// <summary>
/// Drives quorum, controller and session on one thread: requests, replies and the clock's ticks one after the other, then
/// one flush for all that they appended.
/// </summary>
internal sealed class MetadataLoop(BrokerContext broker, QuorumStore store, Action<MetadataImage> onCommitted, Action<Exception> onFailed)
    : IDisposable
{
    private const int TickMs = 20;
    private const int MaxBatch = 256;
    private readonly ConcurrentQueue<Action> _inbox = new();
    private readonly SemaphoreSlim _wake = new(0, 1);
    private BrokerNode? _node;
    private Thread? _thread;
    private MetadataImage _told = MetadataImage.Empty;
    private volatile bool _stopping;

    /// <summary>Monotonic milliseconds.</summary>
    public long NowMs => broker.Time.GetTimestamp() / (broker.Time.TimestampFrequency / 1000);

    /// <summary>Starts the thread.</summary>
    public void Start(BrokerNode node)
    {
        _node = node;
        _thread = new Thread(Run) { Name = "weir-metadata", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Runs something on the loop.</summary>
    public void Post(Action action)
    {
        _inbox.Enqueue(action);
        Wake();
    }

    /// <summary>Gives a request to this broker's machines.</summary>
    public void Receive<TRequest, TResponse>(TRequest request, Action<PeerReply<TResponse>> onReply)
        where TRequest : class, IRequest<TResponse>, new()
        where TResponse : class, IMessage, new() =>
        Post(() => _node!.Receive(
            request,
            response => Post(() => onReply(new PeerReply<TResponse>((TResponse)response))),
            (code, text) => Post(() => onReply(new PeerReply<TResponse>(null, code, text)))));

    /// <summary>Gives a request of a connection to this broker's machines.</summary>
    public void Receive(IMessage request, Action<IMessage> reply, Refuse refuse) =>
        Post(() => _node!.Receive(request, reply, refuse));

    /// <summary>Stops the thread; blocks until it has ended.</summary>
    public void Dispose()
    {
        _stopping = true;
        Wake();
        _thread?.Join();
        _wake.Dispose();
    }

    private void Wake()
    {
        try
        {
            if (_wake.CurrentCount == 0)
            {
                _wake.Release();
            }
        }
        catch (SemaphoreFullException)
        {
            // Somebody else woke it: one is enough.
        }
        catch (ObjectDisposedException)
        {
            // What comes after the end is not answered.
        }
    }

    private void Run()
    {
        try
        {
            var nextTickMs = NowMs;
            while (!_stopping)
            {
                _wake.Wait((int)Math.Clamp(nextTickMs - NowMs, 0, TickMs));
                RunInbox();
                if (NowMs >= nextTickMs)
                {
                    nextTickMs = NowMs + TickMs;
                    _node!.TickMetadata(NowMs);
                }

                Flush();
                Tell();
            }
        }
        catch (Exception e) when (e is LogIoException or MetadataException)
        {
            onFailed(e);
        }
        catch (Exception e)
        {
            ServerLog.MetadataLoopFailed(broker.Logger, e);
            onFailed(e);
        }
    }

    private void RunInbox()
    {
        for (var left = MaxBatch; left > 0 && _inbox.TryDequeue(out var action); left--)
        {
            try
            {
                action();
            }
            catch (ProtocolException e)
            {
                ServerLog.MetadataRequestFailed(broker.Logger, e);
            }
        }

        _node!.StepMetadata(NowMs);
        if (!_inbox.IsEmpty)
        {
            Wake();
        }
    }

    private void Flush()
    {
        if (_node!.Quorum.NeedsFlush)
        {
            store.Flush(broker.NowMs);
            _node.Quorum.OnFlushed(NowMs);
            _node.StepMetadata(NowMs);
        }
    }

    private void Tell()
    {
        if (!ReferenceEquals(_told, store.Committed))
        {
            _told = store.Committed;
            onCommitted(_told);
        }
    }
}
