using System.Net;
using System.Net.Sockets;
using Weir.Protocol.Fuzz.Targets;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Testing.Support;

namespace Weir.Protocol.Fuzz.Sockets;

/// <summary>
/// Sends the fuzzer's inputs to a running broker over TCP: before the hello, after it, and as well-framed requests of an
/// authenticated client. The broker must close each connection once the client has, and go on answering hellos.
/// Topics may be created and deleted: use a broker that keeps nothing of value.
/// </summary>
public static class SocketFuzzer
{
    private const int InputsPerConnection = 8;
    private const int ConnectionsPerCheck = 50;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Returns what went wrong, or null.</summary>
    public static async Task<string?> RunAsync(string address, ulong seed, long inputs)
    {
        var endPoint = IPEndPoint.Parse(address);
        var connections = 0;
        for (var i = 0L; i < inputs; i += InputsPerConnection)
        {
            var first = seed + (ulong)i;
            try
            {
                await AttackAsync(endPoint, first, (int)Math.Min(InputsPerConnection, inputs - i));
                if (++connections % ConnectionsPerCheck == 0 || i + InputsPerConnection >= inputs)
                {
                    await GreetAsync(endPoint);
                }
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or InvalidDataException)
            {
                return $"FAILED at the {InputsPerConnection} inputs from seed {first}: {e.Message}";
            }
        }

        return null;
    }

    private static async Task AttackAsync(IPEndPoint endPoint, ulong firstSeed, int inputs)
    {
        using var timeout = new CancellationTokenSource(Patience);
        using var socket = await ConnectAsync(endPoint, timeout.Token);
        var random = new SeededRandom(firstSeed, stream: 1);
        var draining = DrainAsync(socket, timeout.Token);
        try
        {
            using var buffer = new WireBuffer();
            var stage = random.Next(4);
            if (stage > 0)
            {
                AppendHello(buffer);
            }

            if (stage > 1)
            {
                Frames.Append(buffer, FrameKind.Request, ApiKey.Authenticate, 1, 2, new AuthenticateRequest());
            }

            await SendAsync(socket, buffer.Memory, timeout.Token);
            for (var i = 0; i < inputs; i++)
            {
                await SendAsync(socket, Shape(firstSeed + (ulong)i, isFramed: stage > 2, random), timeout.Token);
            }

            socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // The broker closed the connection in the middle of it, as it may.
        }

        await draining;
    }

    /// <summary>The bytes of an input as they are, or in a frame whose header is right, so that they reach a handler.</summary>
    private static byte[] Shape(ulong seed, bool isFramed, SeededRandom random)
    {
        var (target, _, input) = Fuzzer.CreateInput(seed);
        if (!isFramed || target is not MessageTarget || !Enum.TryParse<ApiKey>(target.Name.Split('.')[0], out var api))
        {
            return input;
        }

        var header = new byte[FrameHeader.Size];
        var kind = random.Chance(1, 8) ? FrameKind.Push : FrameKind.Request;
        new FrameHeader(
            input.Length + FrameHeader.Size - FrameHeader.LengthFieldSize, kind, FrameFlags.None, api, 1,
            (uint)random.Next(1000)).Write(header);
        return [.. header, .. input];
    }

    private static async Task GreetAsync(IPEndPoint endPoint)
    {
        using var timeout = new CancellationTokenSource(Patience);
        using var socket = await ConnectAsync(endPoint, timeout.Token);
        using var buffer = new WireBuffer();
        AppendHello(buffer);
        await SendAsync(socket, buffer.Memory, timeout.Token);
        using var assembler = new FrameAssembler(ProtocolLimits.FrameBytesBeforeAuthentication);
        FrameHeader header;
        ReadOnlyMemory<byte> body;
        while (!assembler.TryRead(out header, out body))
        {
            var received = await socket.ReceiveAsync(assembler.GetMemory(), SocketFlags.None, timeout.Token);
            if (received == 0)
            {
                throw new InvalidDataException("the broker closed the connection after a hello");
            }

            assembler.Advance(received);
        }

        if (header is not { Kind: FrameKind.Response, Flags: FrameFlags.None, Api: ApiKey.Hello, CorrelationId: 1 })
        {
            throw new InvalidDataException($"the broker answered a hello with {header}");
        }

        WireReader.ReadAll<HelloResponse>(body, header.Version);
    }

    private static void AppendHello(WireBuffer buffer) =>
        Frames.Append(buffer, FrameKind.Request, ApiKey.Hello, 1, 1, new HelloRequest { SdkName = "fuzz", SdkVersion = "1" });

    private static async Task<Socket> ConnectAsync(IPEndPoint endPoint, CancellationToken cancellationToken)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(endPoint, cancellationToken);
        return socket;
    }

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None, cancellationToken)..];
        }
    }

    /// <summary>Takes what the broker sends until it closes the connection.</summary>
    private static async Task DrainAsync(Socket socket, CancellationToken cancellationToken)
    {
        var buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // A reset is a close, too.
        }
    }
}
