using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Simulation.Exhaustive;

/// <summary>
/// What is on its way between nodes: in order from one node to another, as on a connection, but for requests that were given
/// up. Nothing comes by itself; the search says what is next.
/// </summary>
internal sealed class MessagePool(SearchModel model)
{
    private readonly List<InFlight> _messages = [];
    private readonly List<Exchange> _waiting = [];

    /// <summary>Everything on its way, the oldest first.</summary>
    public IReadOnlyList<InFlight> Messages => _messages;

    public void Send(SearchNode sender, int to, IMessage request, Action<IMessage?, ErrorCode, string> complete)
    {
        var exchange = new Exchange(sender.NodeId, to, sender.Incarnation, request, complete);
        if (model.IsUp(to))
        {
            _messages.Add(new InFlight(exchange, IsReply: false));
        }
        else
        {
            Fail(exchange, ErrorCode.ConnectionLost);
        }
    }

    /// <summary>The next message from one node to another; null if there is none.</summary>
    public InFlight? Head(int from, int to) =>
        _messages.Find(message => !message.IsLate && message.From == from && message.To == to);

    /// <summary>The oldest request from one node to another that was given up.</summary>
    public InFlight? Late(int from, int to) =>
        _messages.Find(message => message.IsLate && message.From == from && message.To == to);

    /// <summary>Whether a node waits for an answer.</summary>
    public bool IsWaiting(int node) => _waiting.Exists(exchange => exchange.From == node && !exchange.IsGivenUp)
        || _messages.Exists(message => message.Exchange.From == node && !message.Exchange.IsGivenUp);

    public void Deliver(InFlight message)
    {
        _messages.Remove(message);
        var exchange = message.Exchange;
        if (message.IsReply)
        {
            exchange.Complete(message.Response, message.Error, message.Text);
            return;
        }

        _waiting.Add(exchange);
        model.Serve(
            exchange.To, exchange.Request, response => Reply(exchange, response, ErrorCode.None, string.Empty),
            (code, text) => Reply(exchange, null, code, text));
    }

    /// <summary>The sender hears that its connection broke; the request may come nevertheless.</summary>
    public void GiveUp(InFlight message)
    {
        message.Exchange.IsGivenUp = true;
        model.Post(
            message.From, message.Exchange.Incarnation,
            () => message.Exchange.Complete(null, ErrorCode.RequestTimedOut, string.Empty));
    }

    /// <summary>A node is gone: what was meant for it is lost, and nobody waits for what it sent.</summary>
    public void OnCrash(int node)
    {
        foreach (var message in _messages.Where(message => message.To == node).ToList())
        {
            _messages.Remove(message);
            if (!message.IsReply)
            {
                Fail(message.Exchange, ErrorCode.ConnectionLost);
            }
        }

        foreach (var exchange in _waiting.Where(exchange => exchange.To == node).ToList())
        {
            _waiting.Remove(exchange);
            Fail(exchange, ErrorCode.ConnectionLost);
        }

        foreach (var message in _messages.Where(message => message.Exchange.From == node))
        {
            message.Exchange.IsGivenUp = true;
        }

        _waiting.RemoveAll(exchange => exchange.From == node);
    }

    private void Reply(Exchange exchange, IMessage? response, ErrorCode code, string text)
    {
        if (_waiting.Remove(exchange) && !exchange.IsGivenUp)
        {
            _messages.Add(new InFlight(exchange, IsReply: true, response, code, text));
        }
    }

    private void Fail(Exchange exchange, ErrorCode code)
    {
        if (!exchange.IsGivenUp)
        {
            exchange.IsGivenUp = true;
            model.Post(exchange.From, exchange.Incarnation, () => exchange.Complete(null, code, string.Empty));
        }
    }
}
