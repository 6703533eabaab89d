using System.Net;
using System.Net.Sockets;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Protocol.Wire;
using Xunit;

namespace Weir.Server.Tests;

/// <summary>A client that sends whatever bytes it is told to.</summary>
public sealed class RawConnection : IDisposable
{
    private readonly Socket _socket;
    private readonly FrameAssembler _frames = new(ProtocolLimits.FrameBytes);
    private uint _correlationId;

    private RawConnection(Socket socket) => _socket = socket;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<RawConnection> OpenAsync(RunningBroker broker)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPEndPoint.Parse(broker.Address), Token);
        return new RawConnection(socket);
    }

    public static async Task<RawConnection> GreetAsync(RunningBroker broker)
    {
        var connection = await OpenAsync(broker);
        await connection.CallAsync<HelloRequest, HelloResponse>(new HelloRequest { SdkName = "raw", SdkVersion = "1" });
        await connection.CallAsync<AuthenticateRequest, AuthenticateResponse>(new AuthenticateRequest());
        return connection;
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await _socket.SendAsync(bytes, SocketFlags.None, Token)..];
        }
    }

    public Task SendAsync<T>(ApiKey api, T message, FrameKind kind = FrameKind.Request, ushort version = 1)
        where T : IMessage => SendAsync(Encode(api, message, kind, version));

    public byte[] Encode<T>(ApiKey api, T message, FrameKind kind = FrameKind.Request, ushort version = 1)
        where T : IMessage
    {
        using var buffer = new WireBuffer();
        var payload = Frames.Append(buffer, kind, api, version, kind == FrameKind.Push ? 0 : ++_correlationId, message);
        payload.Span.CopyTo(buffer.Append(payload.Length));
        return buffer.Span.ToArray();
    }

    /// <summary>The next frame; null once the broker has closed.</summary>
    public async Task<(FrameHeader Header, byte[] Body)?> ReceiveAsync()
    {
        while (true)
        {
            if (_frames.TryRead(out var header, out var body))
            {
                return (header, body.ToArray());
            }

            int received;
            try
            {
                received = await _socket.ReceiveAsync(_frames.GetMemory(), SocketFlags.None, Token);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
            {
                return null;
            }

            if (received == 0)
            {
                return null;
            }

            _frames.Advance(received);
        }
    }

    /// <summary>Everything until the broker closes.</summary>
    public async Task<byte[]> ReceiveToEndAsync()
    {
        var all = new MemoryStream();
        var buffer = new byte[64 * 1024];
        try
        {
            for (int received; (received = await _socket.ReceiveAsync(buffer, SocketFlags.None, Token)) > 0;)
            {
                all.Write(buffer, 0, received);
            }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // Closed with our bytes unread: what came before counts.
        }

        return all.ToArray();
    }

    public async Task<TResponse> CallAsync<TRequest, TResponse>(TRequest request)
        where TRequest : IRequest<TResponse>
        where TResponse : IMessage, new()
    {
        await SendAsync(TRequest.Key, request);
        while (await ReceiveAsync() is { } frame)
        {
            if (frame.Header.Kind == FrameKind.Response)
            {
                return (frame.Header.Flags & FrameFlags.Error) == 0
                    ? WireReader.ReadAll<TResponse>(frame.Body, 1)
                    : throw new ProtocolException(ReadError(frame.Body).Error, ReadError(frame.Body).Text);
            }
        }

        throw new EndOfStreamException("the broker closed the connection");
    }

    /// <summary>The error that the broker answers with next.</summary>
    public async Task<ErrorCode> ReceiveErrorAsync()
    {
        var frame = await ReceiveAsync() ?? throw new EndOfStreamException("closed without an error");
        Assert.Equal(FrameFlags.Error, frame.Header.Flags);
        return ReadError(frame.Body).Error;
    }

    public async Task<ErrorCode> ProduceAsync(TopicInfo topic, ReadOnlyMemory<byte> batch, int partition = 0)
    {
        try
        {
            await CallAsync<ProduceRequest, ProduceResponse>(
                new ProduceRequest { TopicId = topic.TopicId, Partition = partition, Batch = batch });
            return ErrorCode.None;
        }
        catch (ProtocolException e)
        {
            return e.Code;
        }
    }

    public async Task<TopicInfo> CreateTopicAsync(string name, params (string Name, string Value)[] configs)
    {
        await CallAsync<CreateTopicRequest, CreateTopicResponse>(new CreateTopicRequest
        {
            Name = name,
            Configs = [.. configs.Select(static c => new ConfigEntry { Name = c.Name, Value = c.Value })],
        });
        return (await CallAsync<MetadataRequest, MetadataResponse>(new MetadataRequest { Topics = [name] })).Topics[0];
    }

    public static byte[] Batch(Guid topicId, int records = 1, int size = 100, int partition = 0)
    {
        using var builder = new RecordBatchBuilder(64 * 1024 * 1024);
        for (var i = 0; i < records; i++)
        {
            builder.TryAdd(0, default, hasKey: false, new byte[size], hasValue: true, []);
        }

        return builder.Seal(topicId, partition, BatchProducer.None).ToArray();
    }

    public void Dispose()
    {
        _socket.Dispose();
        _frames.Dispose();
    }

    private static ErrorMessage ReadError(byte[] body) => WireReader.ReadAll<ErrorMessage>(body, 1);
}
